import { pause } from '../../../../../runtime/timers.ts';
import type { MaintenanceTask } from '../maintenance-task.ts';
import type { Statistics } from '../statistics.ts';

/** Time without work after each table, by the time that it took. */
const PAUSE_FACTOR = 4;

/** Refreshes the planner's statistics of tables that have changed much. */
export function analyzeTask(statistics: Statistics): MaintenanceTask {
  return {
    name: 'analyze',
    description: "Refreshes the database's statistics of tables that have changed much.",
    intervalMs: 1_800_000,
    async run(signal) {
      let count = 0;
      for (const table of await statistics.findStale()) {
        if (signal.aborted) return { count, hasMore: true };
        const startedAt = performance.now();
        await statistics.refresh(table);
        count += 1;
        await pause(PAUSE_FACTOR * (performance.now() - startedAt), signal);
      }
      return { count, hasMore: false };
    },
  };
}
