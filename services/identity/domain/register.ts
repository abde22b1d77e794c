import { v7 as uuidV7 } from 'uuid';
import { limitByAddress } from './attempt-limits.ts';
import { mailOneTimeToken, type OneTimeMailOptions } from './credentials/one-time-mail.ts';
import type { Device } from './device.ts';
import type { EmailAddress } from './email.ts';
import { once, type RequestKey } from './idempotency.ts';
import type { Limiter } from './limiter.ts';
import type { PasswordHasher } from './password-hasher.ts';
import type { NewPassword, PasswordPolicy } from './password-policy.ts';
import type { PersonName } from './person-name.ts';
import type { PhoneNumber } from './phone.ts';
import type { Repositories, UnitOfWork } from './unit-of-work.ts';
import type { User } from './user.ts';
import { userCodec } from './users/user-codec.ts';
import type { Uuid } from './uuid.ts';

export interface RegisterDeps {
  readonly limiter: Limiter;
  readonly passwordPolicy: PasswordPolicy;
  readonly hasher: PasswordHasher;
  readonly unitOfWork: UnitOfWork;
  readonly mail: OneTimeMailOptions;
  readonly now: () => Date;
}

export interface Registration {
  readonly email: EmailAddress;
  readonly password: NewPassword;
  readonly firstName: PersonName;
  readonly lastName: PersonName;
  readonly phone: PhoneNumber | null;
  readonly device: Device;
  readonly requestKey: RequestKey | null;
}

/**
 * Creates an account with the role `user`, in one transaction with its `user_created` event and, where mail is set up, the
 * mail that verifies its address. The password is hashed before the address is looked at: a taken address takes as long
 * as a free one.
 *
 * @throws RateLimited, RateLimiterUnavailable, HashingOverloaded, EmailAlreadyRegistered, RequestIdReused,
 *   DatabaseUnavailable; the signal's reason where it is aborted before the account is written.
 */
export async function register(
  deps: RegisterDeps,
  registration: Registration,
  signal?: AbortSignal,
): Promise<User> {
  const { password, device, requestKey } = registration;
  await limitByAddress(deps.limiter, 'auth_register', device.ipAddress, signal);
  const passwordHash = await deps.hasher.hash(password, signal);
  signal?.throwIfAborted();
  return await once(deps.unitOfWork, requestKey, userCodec, (repositories) =>
    insert(deps, repositories, registration, passwordHash),
  );
}

async function insert(
  { mail, now }: RegisterDeps,
  repositories: Repositories,
  { email, firstName, lastName, phone, device }: Registration,
  passwordHash: string,
): Promise<User> {
  const { users, securityEvents } = repositories;
  const createdAt = now();
  const id = uuidV7() as Uuid;
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
    type: 'user_created',
    severity: 'info',
    description: 'An account was registered.',
    userId: id,
    sessionId: null,
    device,
    metadata: { method: 'registration' },
    createdAt,
  });
  if (mail.enabled) {
    await mailOneTimeToken(mail, repositories, {
      userId: id,
      email: email.written,
      emailNormalized: email.normalized,
      purpose: 'email_verification',
      at: createdAt,
    });
  }
  return user;
}
