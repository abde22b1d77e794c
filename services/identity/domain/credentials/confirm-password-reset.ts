import { v7 as uuidV7 } from 'uuid';
import type { Device } from '../device.ts';
import { endUserSessions } from '../end-sessions.ts';
import { PasswordRefused, TokenNotUsable } from '../errors.ts';
import { type AnswerCodec, once, type RequestKey } from '../idempotency.ts';
import { hashOneTimeToken, type OneTimeTokenReads } from '../one-time-token.ts';
import type { PasswordHasher } from '../password-hasher.ts';
import type { PasswordPolicy } from '../password-policy.ts';
import type { UserReads } from '../reads.ts';
import type { Repositories, UnitOfWork } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';
import { answeredBefore } from './answered-before.ts';
import { mailPasswordChanged } from './password-changed-mail.ts';

export interface ConfirmPasswordResetDeps {
  readonly oneTimeTokens: OneTimeTokenReads;
  readonly users: UserReads;
  readonly passwordPolicy: PasswordPolicy;
  readonly hasher: PasswordHasher;
  readonly unitOfWork: UnitOfWork;
  readonly now: () => Date;
}

export interface PasswordReset {
  /** As it was sent. */
  readonly token: string;
  readonly newPassword: string;
  readonly device: Device;
}

export interface PasswordWasReset {
  readonly userId: Uuid;
  readonly revokedSessions: number;
  readonly changedAt: Date;
}

const PURPOSE = 'password_reset';

const codec: AnswerCodec<PasswordWasReset> = {
  toJson: ({ userId, revokedSessions, changedAt }) => ({ userId, revokedSessions, changedAt }),
  fromJson: (json) => {
    const { changedAt, ...rest } = json as Omit<PasswordWasReset, 'changedAt'> & { changedAt: string };
    return { ...rest, changedAt: new Date(changedAt) };
  },
  userIdOf: ({ userId }) => userId,
};

/**
 * Sets a password with the token of a reset mail. The policy is asked and the password hashed before the token is used
 * up, so that a refused password doesn't cost it; of any number at once, one uses it.
 *
 * @throws TokenNotUsable, PasswordRefused, HashingOverloaded, RequestIdReused, DatabaseUnavailable; the signal's reason
 *   where it is aborted before the password is set.
 */
export async function confirmPasswordReset(
  deps: ConfirmPasswordResetDeps,
  { token, newPassword, device }: PasswordReset,
  key: RequestKey | null,
  signal?: AbortSignal,
): Promise<PasswordWasReset> {
  const { oneTimeTokens, users, passwordPolicy, hasher, unitOfWork } = deps;
  const use = { hash: hashOneTimeToken(token), purpose: PURPOSE } as const;
  const found = await oneTimeTokens.findToken({ ...use, at: deps.now() });
  const user = found?.isUsable === true ? await users.findById(found.userId) : null;
  if (user === null) {
    // A retry of the request that used it up is answered as that one was.
    const answered = await answeredBefore(unitOfWork, key, codec);
    if (answered === null) throw new TokenNotUsable();
    return answered;
  }
  const password = await passwordPolicy.check(newPassword, user);
  if (!password.ok) throw new PasswordRefused('new_password', password.reason);
  const newHash = await hasher.hash(password.value, signal);
  signal?.throwIfAborted();
  return await once(unitOfWork, key, codec, (repositories) =>
    reset(repositories, { use: { ...use, at: deps.now() }, newHash, device }),
  );
}

async function reset(
  repositories: Repositories,
  {
    use,
    newHash,
    device,
  }: {
    readonly use: { readonly hash: Buffer; readonly purpose: typeof PURPOSE; readonly at: Date };
    readonly newHash: string;
    readonly device: Device;
  },
): Promise<PasswordWasReset> {
  const { at } = use;
  const { oneTimeTokens, credentials, securityEvents } = repositories;
  const owner = await oneTimeTokens.use(use);
  if (owner === null) throw new TokenNotUsable();
  const user = await credentials.resetPassword({ ...owner, newHash, at });
  // Thrown, the token stays unused: the account may become active again.
  if (user === null) throw new TokenNotUsable();
  await repositories.challenges.endOpen(user.id, at);
  await repositories.trustedDevices.revokeAllOfUser({ userId: user.id, reason: 'password_reset', at });
  await securityEvents.append({
    id: uuidV7() as Uuid,
    type: 'password_reset',
    severity: 'medium',
    description: 'The password was set with a token from a mail.',
    userId: user.id,
    sessionId: null,
    device,
    metadata: {},
    createdAt: at,
  });
  await mailPasswordChanged(repositories, user, at);
  const revokedSessions = await endUserSessions(repositories, {
    userId: user.id,
    except: null,
    reason: 'password_reset',
    at,
  });
  return { userId: user.id, revokedSessions, changedAt: at };
}
