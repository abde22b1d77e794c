import type { ExpiredRows } from '../expired-rows.ts';
import type { Sweep } from '../in-batches.ts';
import type { MaintenanceTask } from '../maintenance-task.ts';
import type { Partitions } from '../partitions.ts';
import type { Statistics } from '../statistics.ts';
import { analyzeTask } from './analyze.ts';
import { type ArchivingDeps, archiveUsersTask } from './archive-users.ts';
import { partitionsTask } from './partitions.ts';
import { type RetentionPolicy, retentionTask } from './retention.ts';
import { sweepTask } from './sweep-task.ts';

/** What the tasks work with. */
export interface MaintenanceTaskDeps extends ArchivingDeps {
  readonly partitions: Partitions;
  readonly statistics: Statistics;
  readonly retention: RetentionPolicy;
  readonly expiredRows: ExpiredRows;
  readonly oneTimeTokens: { deleteExpired(before: Date, most: number): Promise<number> };
  readonly networkLocks: { deleteIdle(before: Date, most: number): Promise<number> };
  readonly outgoingMails: { deleteExpired(at: Date, most: number): Promise<number> };
  readonly secretRekeying: { rekey(most: number): Promise<number> };
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** How long ended tokens and idle throttles are kept: longer than any count or lock is remembered. */
const KEPT_MS = 48 * HOUR_MS;
/** How long devices that are trusted no more are listed. */
const DEVICES_KEPT_MS = 90 * DAY_MS;

/** Everything that the service does by itself from time to time. */
export function maintenanceTasks(deps: MaintenanceTaskDeps): readonly MaintenanceTask[] {
  const { expiredRows, oneTimeTokens, networkLocks, outgoingMails, secretRekeying, unitOfWork, now } = deps;
  const ago = (ms: number) => new Date(now().getTime() - ms);
  const sweep = (name: string, intervalMs: number, description: string, ...sweeps: Sweep[]) =>
    sweepTask({ name, intervalMs, description }, sweeps);
  return [
    partitionsTask(deps.partitions),
    retentionTask(deps),
    archiveUsersTask(deps),
    analyzeTask(deps.statistics),
    sweep('expired_tokens', MINUTE_MS, 'Deletes one-time tokens that ended two days ago.', (most) =>
      oneTimeTokens.deleteExpired(ago(KEPT_MS), most),
    ),
    sweep('idle_throttles', MINUTE_MS, 'Forgets networks without failures for two days.', (most) =>
      networkLocks.deleteIdle(ago(KEPT_MS), most),
    ),
    sweep('outgoing_mails', MINUTE_MS, 'Drops mails that are of no use any more.', (most) =>
      outgoingMails.deleteExpired(now(), most),
    ),
    sweep('answered_requests', MINUTE_MS, 'Forgets answered requests of more than 24 hours ago.', (most) =>
      unitOfWork.transactional(({ answeredRequests }) => answeredRequests.deleteExpired(most)),
    ),
    sweep('expired_families', HOUR_MS, 'Deletes refresh-token families that ended two days ago.', (most) =>
      expiredRows.deleteFamilies(ago(KEPT_MS), most),
    ),
    sweep(
      'expired_challenges',
      10 * MINUTE_MS,
      'Deletes challenges and unconfirmed authenticator apps that expired a day ago.',
      (most) => expiredRows.deleteChallenges(ago(DAY_MS), most),
      (most) => expiredRows.deletePendingTotp(ago(DAY_MS), most),
    ),
    sweep(
      'expired_devices',
      DAY_MS,
      'Deletes devices that have not been trusted for 90 days.',
      (most) => expiredRows.deleteExpiredDevices(ago(DEVICES_KEPT_MS), most),
      (most) => expiredRows.deleteRevokedDevices(ago(DEVICES_KEPT_MS), most),
    ),
    sweep(
      'rekey_secrets',
      HOUR_MS,
      'Encrypts secrets of former encryption keys with the present one.',
      (most) => secretRekeying.rekey(most),
    ),
  ];
}
