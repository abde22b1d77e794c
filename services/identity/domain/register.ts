import { v7 as uuidV7 } from 'uuid';
import { limitByAddress } from './attempt-limits.ts';
import type { Device } from './device.ts';
import type { EmailAddress } from './email.ts';
import type { Limiter } from './limiter.ts';
import type { PasswordHasher } from './password-hasher.ts';
import type { NewPassword } from './password-policy.ts';
import type { PersonName } from './person-name.ts';
import type { PhoneNumber } from './phone.ts';
import type { UnitOfWork } from './unit-of-work.ts';
import type { User } from './user.ts';
import type { Uuid } from './uuid.ts';

export interface RegisterDeps {
  readonly limiter: Limiter;
  readonly hasher: PasswordHasher;
  readonly unitOfWork: UnitOfWork;
  readonly now: () => Date;
}

export interface Registration {
  readonly email: EmailAddress;
  readonly password: NewPassword;
  readonly firstName: PersonName;
  readonly lastName: PersonName;
  readonly phone: PhoneNumber | null;
  readonly device: Device;
}

/**
 * Creates an account with the role `user`, and its `user_registered` event in the same transaction. The password is
 * hashed before the address is looked at: a taken address takes as long as a free one.
 *
 * @throws RateLimited, RateLimiterUnavailable, HashingOverloaded, EmailAlreadyRegistered, DatabaseUnavailable; the
 *   signal's reason where it is aborted before the account is written.
 */
export async function register(
  deps: RegisterDeps,
  { email, password, firstName, lastName, phone, device }: Registration,
  signal?: AbortSignal,
): Promise<User> {
  await limitByAddress(deps.limiter, 'auth_register', device.ipAddress, signal);
  const passwordHash = await deps.hasher.hash(password, signal);
  signal?.throwIfAborted();
  const createdAt = deps.now();
  const id = uuidV7() as Uuid;
  return await deps.unitOfWork.transactional(async ({ users, securityEvents }) => {
    const user = await users.insert({
      id,
      email,
      passwordHash,
      firstName,
      lastName,
      phone,
      roles: ['user'],
      createdAt,
    });
    await securityEvents.append({
      id: uuidV7() as Uuid,
      type: 'user_registered',
      severity: 'info',
      description: 'An account was created.',
      userId: id,
      sessionId: null,
      device,
      metadata: {},
      createdAt,
    });
    return user;
  });
}
