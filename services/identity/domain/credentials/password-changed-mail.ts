import type { Repositories } from '../unit-of-work.ts';
import type { User } from '../user.ts';

/** How long a notice is worth sending, in milliseconds. */
const NOTICE_MS = 3 * 24 * 3_600_000;

/** Tells the owner of an account that its password was changed (OWASP ASVS 5.0, 6.3.7). @throws DatabaseUnavailable */
export async function mailPasswordChanged(
  { outgoingMails }: Pick<Repositories, 'outgoingMails'>,
  { id, email }: Pick<User, 'id' | 'email'>,
  at: Date,
): Promise<void> {
  await outgoingMails.add({
    userId: id,
    to: email,
    message: { template: 'password_changed', at },
    createdAt: at,
    expiresAt: new Date(at.getTime() + NOTICE_MS),
  });
}
