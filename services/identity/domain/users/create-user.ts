import { v7 as uuidV7 } from 'uuid';
import type { ChangeOrigin } from '../change.ts';
import type { EmailAddress } from '../email.ts';
import { PasswordRefused } from '../errors.ts';
import { once, type RequestKey } from '../idempotency.ts';
import type { PasswordHasher } from '../password-hasher.ts';
import type { PasswordPolicy } from '../password-policy.ts';
import type { PersonName } from '../person-name.ts';
import type { PhoneNumber } from '../phone.ts';
import type { Role, User } from '../user.ts';
import type { Uuid } from '../uuid.ts';
import type { UserAdminDeps } from './change-user.ts';
import { userCodec } from './user-codec.ts';
import { userEvent } from './user-event.ts';

export interface CreateUserDeps extends UserAdminDeps {
  readonly hasher: Pick<PasswordHasher, 'hash' | 'learnCosts'>;
  readonly passwordPolicy: Pick<PasswordPolicy, 'check'>;
}

/** A user to add. */
export interface UserCreation {
  readonly email: EmailAddress;
  /** As it came; null for an account without a password. */
  readonly password: string | null;
  readonly firstName: PersonName;
  readonly lastName: PersonName;
  readonly phone: PhoneNumber | null;
  readonly roles: readonly Role[];
  readonly emailVerified: boolean;
  readonly requestKey: RequestKey | null;
  readonly origin: ChangeOrigin;
}

/**
 * Adds a user on a backend's word. The password is hashed before the transaction begins: none waits for a hash.
 *
 * @throws PasswordRefused, HashingOverloaded, EmailAlreadyRegistered, RequestIdReused, DatabaseUnavailable; the signal's
 *   reason where it is aborted before the account is written.
 */
export async function createUser(
  deps: CreateUserDeps,
  creation: UserCreation,
  signal?: AbortSignal,
): Promise<User> {
  const { email, firstName, lastName, phone, roles, emailVerified, requestKey, origin } = creation;
  const passwordHash = await hashOf(deps, creation, signal);
  signal?.throwIfAborted();
  return await once(deps.unitOfWork, requestKey, userCodec, async ({ users, securityEvents }) => {
    const at = deps.now();
    const user = await users.insert({
      id: uuidV7({ msecs: at.getTime() }) as Uuid,
      email,
      passwordHash,
      firstName,
      lastName,
      phone,
      roles,
      createdAt: at,
      emailVerifiedAt: emailVerified ? at : null,
    });
    await securityEvents.append(
      userEvent({
        type: 'user_created',
        severity: 'info',
        description: 'An account was created by a backend.',
        userId: user.id,
        origin,
        at,
        metadata: { roles },
      }),
    );
    return user;
  });
}

async function hashOf(
  { hasher, passwordPolicy }: CreateUserDeps,
  { password, email, firstName, lastName }: UserCreation,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  if (password === null) return null;
  const parsed = await passwordPolicy.check(password, { email: email.written, firstName, lastName });
  if (!parsed.ok) throw new PasswordRefused('password', parsed.reason);
  return await hasher.hash(parsed.value, signal);
}
