import { inBatches } from '../in-batches.ts';
import type { MaintenanceTask } from '../maintenance-task.ts';
import type { Partitions, RetainedTable } from '../partitions.ts';

/** How long things are kept, in days; 0: for ever. */
export interface RetentionPolicy {
  readonly auditDays: number;
  readonly sessionDays: number;
}

export interface RetentionDeps {
  readonly partitions: Partitions;
  readonly retention: RetentionPolicy;
  readonly now: () => Date;
  /** Time between two drops, in milliseconds. Default: 5,000. */
  readonly dropPauseMs?: number;
}

const DAY_MS = 24 * 3_600_000;

/**
 * Drops the months of sessions and of the audit log that ended longer ago than they are kept. What keeps one table from its
 * turn keeps not the other.
 *
 * A drop holds up whoever comes to the table, for some milliseconds: far apart, drops are felt by fewer than one sign-in in
 * a hundred, however many months there are to go.
 */
export function retentionTask({
  partitions,
  retention,
  now,
  dropPauseMs = 5000,
}: RetentionDeps): MaintenanceTask {
  const days: readonly (readonly [RetainedTable, number])[] = [
    ['sessions_history', retention.sessionDays],
    ['security_events', retention.auditDays],
  ];
  return {
    name: 'retention',
    description: 'Drops months of sessions and of the audit log that are past their retention.',
    intervalMs: 3_600_000,
    async run(signal) {
      let count = 0;
      let hasMore = false;
      const failures: unknown[] = [];
      for (const [table, keptDays] of days) {
        if (keptDays === 0) continue;
        const before = new Date(now().getTime() - keptDays * DAY_MS);
        let hasDropped = false;
        const dropSome = async () => {
          const names = await partitions.dropOldest(table, before);
          count += names.length;
          hasDropped = names.some((name) => !name.endsWith('_default'));
          return Math.min(names.length, 1);
        };
        try {
          const leastPauseMs = () => (hasDropped ? dropPauseMs : 0);
          const result = await inBatches(signal, dropSome, { size: 1, leastPauseMs });
          hasMore ||= result.hasMore;
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
      return { count, hasMore };
    },
  };
}
