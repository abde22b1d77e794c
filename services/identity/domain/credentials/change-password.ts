import { v7 as uuidV7 } from 'uuid';
import { limitByAddress, limitByUser } from '../attempt-limits.ts';
import type { Device } from '../device.ts';
import { endUserSessions } from '../end-sessions.ts';
import { InvalidCredentials, PasswordRefused, RequestIdReused } from '../errors.ts';
import { type AnswerCodec, once, type RequestKey } from '../idempotency.ts';
import type { Limiter } from '../limiter.ts';
import type { PasswordHasher } from '../password-hasher.ts';
import type { PasswordPolicy } from '../password-policy.ts';
import type { CredentialReads, UserReads } from '../reads.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';
import { answeredBefore } from './answered-before.ts';
import { type NetworkLocks, requireOpenNetwork } from './network-throttle.ts';
import { mailPasswordChanged } from './password-changed-mail.ts';
import { type RecordRefusalDeps, type Refusal, recordRefusal, refusalOf } from './record-refusal.ts';

export interface ChangePasswordDeps extends RecordRefusalDeps {
  readonly limiter: Limiter;
  readonly networkLocks: NetworkLocks;
  readonly credentials: CredentialReads;
  readonly users: UserReads;
  readonly passwordPolicy: PasswordPolicy;
  readonly hasher: PasswordHasher;
}

export interface PasswordChange {
  readonly userId: Uuid;
  /** As typed. */
  readonly currentPassword: string;
  readonly newPassword: string;
  /** The session that goes on; null for none. */
  readonly sessionId: Uuid | null;
  readonly device: Device;
}

export interface PasswordWasChanged {
  readonly userId: Uuid;
  readonly revokedSessions: number;
}

const codec: AnswerCodec<PasswordWasChanged> = {
  toJson: ({ userId, revokedSessions }) => ({ userId, revokedSessions }),
  fromJson: (json) => json as PasswordWasChanged,
  userIdOf: ({ userId }) => userId,
};

/**
 * Changes a password, for who knows the current one; all other sessions, open challenges and the trust in devices end. A
 * wrong one counts as a failed sign-in does.
 *
 * @throws InvalidCredentials, PasswordRefused, RateLimited, RateLimiterUnavailable, HashingOverloaded, RequestIdReused,
 *   DatabaseUnavailable; the signal's reason where it is aborted before the password is changed.
 */
export async function changePassword(
  deps: ChangePasswordDeps,
  change: PasswordChange,
  key: RequestKey | null,
  signal?: AbortSignal,
): Promise<PasswordWasChanged> {
  const { userId, device } = change;
  await limitByAddress(deps.limiter, 'auth_login', device.ipAddress, signal);
  await requireOpenNetwork(deps, device.ipAddress);
  await limitByUser(deps.limiter, 'auth_login', userId, signal);
  return await checkAndReplace(deps, change, key, signal);
}

async function checkAndReplace(
  deps: ChangePasswordDeps,
  change: PasswordChange,
  key: RequestKey | null,
  signal: AbortSignal | undefined,
): Promise<PasswordWasChanged> {
  const { userId, device } = change;
  const account = await deps.credentials.findCredentialsById(userId);
  const checkedHash = account?.passwordHash ?? null;
  const { matches, evenOut } = await deps.hasher.check(change.currentPassword, checkedHash, signal);
  const refusal = account === null ? 'unknown_user' : refusalOf(account, matches, deps.now());
  const count = async (reason: Refusal): Promise<void> => {
    await recordRefusal(deps, { userId: account?.userId ?? null, account: userId, reason, device });
    await evenOut();
  };
  if (refusal !== null || checkedHash === null) {
    const reason = refusal ?? 'no_password';
    try {
      // A retry comes with a password that is not the current one any more.
      const answered = await answeredBefore(deps.unitOfWork, key, codec);
      if (answered !== null) return answered;
    } catch (error) {
      // Counted as well: an id that is taken must not be a way to guess without being counted.
      if (error instanceof RequestIdReused) await count(reason);
      throw error;
    }
    await count(reason);
    throw new InvalidCredentials();
  }

  const newHash = await hashNew(deps, change, signal);
  signal?.throwIfAborted();
  try {
    return await once(deps.unitOfWork, key, codec, (repositories) =>
      replace(repositories, change, { checkedHash, newHash, at: deps.now() }),
    );
  } catch (error) {
    if (!(error instanceof InvalidCredentials)) throw error;
    // A sign-in may have hashed the same password anew meanwhile.
    if (deps.hasher.needsRehash(checkedHash)) return await checkAndReplace(deps, change, key, signal);
    await count('account_changed');
    throw error;
  }
}

/** The policy comes after the current password: what it refuses tells about the user. */
async function hashNew(
  { users, passwordPolicy, hasher }: ChangePasswordDeps,
  { userId, newPassword }: PasswordChange,
  signal: AbortSignal | undefined,
): Promise<string> {
  const parsed = await passwordPolicy.check(newPassword, (await users.findById(userId)) ?? {});
  if (!parsed.ok) throw new PasswordRefused('new_password', parsed.reason);
  return await hasher.hash(parsed.value, signal);
}

async function replace(
  repositories: Repositories,
  { userId, sessionId, device }: PasswordChange,
  hashes: { readonly checkedHash: string; readonly newHash: string; readonly at: Date },
): Promise<PasswordWasChanged> {
  const { at } = hashes;
  const { credentials, oneTimeTokens, securityEvents } = repositories;
  const user = await credentials.changePassword({ userId, ...hashes });
  if (user === null) throw new InvalidCredentials();
  // A reset mail that somebody else asked for must not undo the change.
  await oneTimeTokens.endOpen(userId, at, 'password_reset');
  await repositories.challenges.endOpen(userId, at);
  await repositories.trustedDevices.revokeAllOfUser({ userId, reason: 'password_changed', at });
  await securityEvents.append({
    id: uuidV7() as Uuid,
    type: 'password_changed',
    severity: 'medium',
    description: 'The password was changed by who knew the current one.',
    userId,
    sessionId,
    device,
    metadata: {},
    createdAt: at,
  });
  await mailPasswordChanged(repositories, user, at);
  const revokedSessions = await endUserSessions(repositories, {
    userId,
    except: sessionId,
    reason: 'password_changed',
    at,
  });
  return { userId, revokedSessions };
}
