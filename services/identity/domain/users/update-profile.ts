import { normalizeEmail } from '../email.ts';
import type { User } from '../user.ts';
import type { ProfileChanges } from '../users.ts';
import { changeUser, type HeldUser, type UserAdminDeps, type UserChange } from './change-user.ts';
import { userEvent } from './user-event.ts';

/** How long the mail about a changed address is worth sending. */
const MAIL_LIFETIME_MS = 7 * 24 * 3_600_000;

/**
 * Changes what a profile says. Another address is unverified, ends the tokens that were mailed to the old one, and its
 * user is told there (OWASP ASVS 5.0, 6.3.7); one that only differs in case is the same address. Where nothing differs,
 * nothing is written.
 *
 * Who can read the mail of an address can reset its account's password. So the address of an admin is for those alone who
 * could make admins: `requireAdminRights` throws where the caller is none of them.
 *
 * @throws UserNotFound, EtagMismatch, EmailAlreadyRegistered, RequestIdReused, DatabaseUnavailable
 */
export async function updateProfile(
  deps: UserAdminDeps,
  change: UserChange,
  changes: ProfileChanges,
  requireAdminRights: () => void,
): Promise<User> {
  return await changeUser(deps, change, async (held) => {
    const { user, repositories, at } = held;
    const fields = changedFields(user, changes);
    if (fields.length === 0) return user;
    const isMoved = changes.email !== undefined && changes.email.normalized !== normalizeEmail(user.email);
    if (isMoved && user.roles.includes('admin')) requireAdminRights();
    const updated = await repositories.users.updateProfile(user, changes, at);
    if (isMoved) await leaveOldAddress(held);
    await repositories.securityEvents.append(
      userEvent({
        type: 'user_updated',
        severity: isMoved ? 'medium' : 'info',
        description: 'The profile was changed.',
        userId: user.id,
        origin: change.origin,
        at,
        metadata: { fields },
      }),
    );
    return updated;
  });
}

function changedFields(user: User, { email, firstName, lastName, phone }: ProfileChanges): string[] {
  return [
    ...(email !== undefined && email.written !== user.email ? ['email'] : []),
    ...(firstName !== undefined && firstName !== user.firstName ? ['first_name'] : []),
    ...(lastName !== undefined && lastName !== user.lastName ? ['last_name'] : []),
    ...(phone !== undefined && phone !== user.phone ? ['phone'] : []),
  ];
}

async function leaveOldAddress({ user, repositories, at }: HeldUser): Promise<void> {
  await repositories.oneTimeTokens.endOpen(user.id, at);
  await repositories.outgoingMails.add({
    userId: user.id,
    to: user.email,
    message: { template: 'email_changed', at },
    createdAt: at,
    expiresAt: new Date(at.getTime() + MAIL_LIFETIME_MS),
  });
}
