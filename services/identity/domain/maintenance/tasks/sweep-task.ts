import { type BatchOptions, inBatches, type Sweep } from '../in-batches.ts';
import type { MaintenanceTask, TaskResult } from '../maintenance-task.ts';

/** A task that deals with rows, batch by batch: by one sweep after another. */
export function sweepTask(
  facts: Pick<MaintenanceTask, 'name' | 'description' | 'intervalMs'>,
  sweeps: readonly Sweep[],
  options?: BatchOptions,
): MaintenanceTask {
  return {
    ...facts,
    async run(signal: AbortSignal): Promise<TaskResult> {
      let count = 0;
      let hasMore = false;
      for (const sweep of sweeps) {
        const result = await inBatches(signal, sweep, options);
        count += result.count;
        hasMore ||= result.hasMore;
      }
      return { count, hasMore };
    },
  };
}
