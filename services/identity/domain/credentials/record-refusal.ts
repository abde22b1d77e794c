import { v7 as uuidV7 } from 'uuid';
import { networkOf } from '../attempt-limits.ts';
import type { NewLocks } from '../credential-store.ts';
import type { Device } from '../device.ts';
import type { Credentials } from '../reads.ts';
import type { SecurityEvent } from '../security-event.ts';
import type { Repositories, UnitOfWork } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';
import type { LockoutPolicies } from './lockout-policy.ts';
import { NO_DEVICE } from './no-device.ts';

/** Why a password was refused: for the audit log, never for the caller. */
export type Refusal =
  | 'unknown_address'
  | 'unknown_user'
  | 'no_password'
  | 'wrong_password'
  | 'account_not_active'
  | 'account_locked'
  | 'second_factor_required'
  | 'account_changed';

/** Why an account that was looked up is refused in spite of its password, or for it; null where it is not. */
export function refusalOf(account: Credentials, matches: boolean, now: Date): Refusal | null {
  if (account.passwordHash === null) return 'no_password';
  if (!matches) return 'wrong_password';
  if (account.status !== 'active') return 'account_not_active';
  if (account.lockedUntil !== null && account.lockedUntil > now) return 'account_locked';
  return null;
}

export interface RecordRefusalDeps {
  readonly unitOfWork: UnitOfWork;
  readonly lockout: LockoutPolicies;
  readonly now: () => Date;
}

/** How long a mail about a lock is worth sending, in milliseconds. */
const LOCK_MAIL_MS = 24 * 3_600_000;

/**
 * Counts a refused password against account and network and records it, in one transaction. The statements are the same
 * whether anybody is known or not; one that locks writes the lock's event too.
 *
 * @throws DatabaseUnavailable
 */
export async function recordRefusal(
  deps: RecordRefusalDeps,
  refused: { readonly userId: Uuid | null; readonly reason: Refusal; readonly device: Device },
): Promise<void> {
  const { userId, reason, device } = refused;
  await deps.unitOfWork.transactional(async (repositories) => {
    const at = deps.now();
    const network = networkOf(device.ipAddress);
    const locks = await repositories.credentials.recordLoginFailure({
      userId,
      network,
      at,
      lockout: deps.lockout,
    });
    const event = { userId, sessionId: null, device, createdAt: at };
    await repositories.securityEvents.append({
      ...event,
      id: uuidV7() as Uuid,
      type: 'login_failed',
      severity: 'low',
      description: 'A sign-in with a password was refused.',
      metadata: { method: 'password', reason },
    });
    await recordLocks(deps, repositories, locks, event);
  });
}

async function recordLocks(
  { lockout }: RecordRefusalDeps,
  { securityEvents, outgoingMails }: Repositories,
  { account, network }: NewLocks,
  event: Pick<SecurityEvent, 'userId' | 'sessionId' | 'device' | 'createdAt'>,
): Promise<void> {
  if (account !== null && event.userId !== null) {
    await securityEvents.append({
      ...event,
      id: uuidV7() as Uuid,
      type: 'account_locked',
      severity: 'medium',
      description: 'Wrong passwords locked the account.',
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
    await securityEvents.append({
      ...event,
      userId: null,
      // The network alone: it is nobody's event, so that no purge would find what tells about the last one who failed.
      device: { ...NO_DEVICE, ipAddress: event.device.ipAddress },
      id: uuidV7() as Uuid,
      type: 'network_locked',
      severity: 'medium',
      description: 'Failed sign-ins locked out a network.',
      metadata: { failures: network.failures, until: network.until.toISOString() },
    });
  }
}
