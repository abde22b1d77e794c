import { v7 as uuidV7 } from 'uuid';
import { networkOf } from '../attempt-limits.ts';
import type { FailureFindings, NewLocks } from '../credential-store.ts';
import {
  type FailureDetectionDeps,
  failureWatch,
  recordFailureFindings,
} from '../detection/failed-sign-ins.ts';
import type { Device } from '../device.ts';
import type { Credentials } from '../reads.ts';
import type { SecurityEvent } from '../security-event.ts';
import type { Repositories, UnitOfWork } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';
import type { LockoutPolicies } from './lockout-policy.ts';
import { NO_DEVICE } from './no-device.ts';

/** Why a password or another proof was refused: for the audit log, never for the caller. */
export type Refusal =
  | 'unknown_address'
  | 'unknown_user'
  | 'no_password'
  | 'wrong_password'
  | 'account_not_active'
  | 'account_locked'
  | 'second_factor_wrong'
  | 'detection_lock'
  | 'account_changed';

/** Why an account that was looked up is refused in spite of its password, or for it; null where it is not. */
export function refusalOf(account: Credentials, matches: boolean, now: Date): Refusal | null {
  if (account.passwordHash === null) return 'no_password';
  if (!matches) return 'wrong_password';
  return barOf(account, now);
}

/** Why nobody can sign in to an account at this moment, whatever the password; null where somebody can. */
export function barOf(
  account: Pick<Credentials, 'status' | 'lockedUntil'>,
  now: Date,
): 'account_not_active' | 'account_locked' | null {
  if (account.status !== 'active') return 'account_not_active';
  if (account.lockedUntil !== null && account.lockedUntil > now) return 'account_locked';
  return null;
}

/** What was shown. */
export type RefusedMethod = 'password' | 'totp' | 'passkey' | 'recovery_code';

export interface RecordRefusalDeps extends FailureDetectionDeps {
  readonly unitOfWork: UnitOfWork;
  readonly lockout: LockoutPolicies;
  readonly now: () => Date;
}

/** How long a mail about a lock is worth sending, in milliseconds. */
const LOCK_MAIL_MS = 24 * 3_600_000;

/** A proof that was refused. */
export interface RefusedProof {
  readonly userId: Uuid | null;
  /** What was tried where nobody is known: a normalized address or an id. Default: nobody was named. */
  readonly account?: string;
  readonly reason: Refusal;
  readonly device: Device;
  /** Default: `password`. */
  readonly method?: RefusedMethod;
}

/**
 * Counts a refused password against account and network and records it, in one transaction. The statements are the same
 * whether anybody is known or not; one that locks, or that makes a finding of those before, writes the events of that too.
 *
 * @throws DatabaseUnavailable
 */
export async function recordRefusal(deps: RecordRefusalDeps, refused: RefusedProof): Promise<void> {
  await deps.unitOfWork.transactional((repositories) => writeRefusal(deps, repositories, refused));
}

/** {@link recordRefusal}, in the transaction of what else comes of the refusal. */
export async function writeRefusal(
  deps: Omit<RecordRefusalDeps, 'unitOfWork'>,
  repositories: Repositories,
  { userId, account, reason, device, method = 'password' }: RefusedProof,
): Promise<void> {
  const at = deps.now();
  const network = networkOf(device.ipAddress);
  const outcome = await repositories.credentials.recordLoginFailure({
    userId,
    network,
    at,
    lockout: deps.lockout,
    watch: failureWatch(deps, userId ?? account ?? null, device),
  });
  const event = { userId, sessionId: null, device, createdAt: at };
  await repositories.securityEvents.append({
    ...event,
    id: uuidV7() as Uuid,
    type: 'login_failed',
    severity: 'low',
    description: 'A password or another proof was refused.',
    metadata: { method, reason },
  });
  await recordFailureFindings(repositories, deps.detectionPolicy, outcome, { userId, device, at });
  await recordLocks(deps, repositories, outcome, event);
}

async function recordLocks(
  { lockout, detectionPolicy }: Pick<RecordRefusalDeps, 'lockout' | 'detectionPolicy'>,
  { securityEvents, outgoingMails }: Repositories,
  { account, network, stuffing }: NewLocks & FailureFindings,
  event: Pick<SecurityEvent, 'userId' | 'sessionId' | 'device' | 'createdAt'>,
): Promise<void> {
  if (account !== null && event.userId !== null) {
    await securityEvents.append({
      ...event,
      id: uuidV7() as Uuid,
      type: 'account_locked',
      severity: 'medium',
      description: 'Wrong passwords or other proofs locked the account.',
      metadata: { failures: account.failures, until: account.until.toISOString() },
    });
    // The first lock of a row only: whoever keeps guessing must not fill the owner's mailbox.
    if (account.failures === lockout.account.threshold) {
      await outgoingMails.add({
        userId: event.userId,
        to: account.email,
        message: { template: 'account_locked', at: event.createdAt, until: account.until },
        createdAt: event.createdAt,
        expiresAt: new Date(event.createdAt.getTime() + LOCK_MAIL_MS),
      });
    }
  }
  if (network !== null) {
    const isForStuffing = stuffing !== null && detectionPolicy.responses.credential_stuffing === 'lock';
    await securityEvents.append({
      ...event,
      userId: null,
      // The network alone: it is nobody's event, so that no purge would find what tells about the last one who failed.
      device: { ...NO_DEVICE, ipAddress: event.device.ipAddress },
      id: uuidV7() as Uuid,
      type: 'network_locked',
      severity: 'medium',
      description: 'Failed sign-ins locked out a network.',
      metadata: {
        ...(isForStuffing ? { reason: 'credential_stuffing' } : { failures: network.failures }),
        until: network.until.toISOString(),
      },
    });
  }
}
