import type { MaintenanceTask } from '../maintenance-task.ts';
import { PARTITIONED_TABLES, type Partitions } from '../partitions.ts';

/** Months that are prepared beyond the present one: as long the database may be without a running service. */
const MONTHS_AHEAD = 3;

/**
 * Makes the partitions of the coming months in time. Without a partition of its own a row goes to the table's default one,
 * which works, but has its rows deleted one by one when they are old.
 */
export function partitionsTask(partitions: Partitions): MaintenanceTask {
  return {
    name: 'partitions',
    description: 'Makes the partitions of the coming months.',
    intervalMs: 3_600_000,
    async run(signal) {
      let count = 0;
      for (const table of PARTITIONED_TABLES) {
        if (signal.aborted) return { count, hasMore: true };
        count += (await partitions.ensure(table, MONTHS_AHEAD)).length;
      }
      return { count, hasMore: false };
    },
  };
}
