import type { MaintenanceTask } from '../../../gen/optix/identity/v1/maintenance_service_pb.ts';
import { tableText } from '../../output/table.ts';
import { timeText } from '../../output/time-text.ts';

const TITLES = ['task', 'state', 'last success', 'next run', 'count', 'total', 'error'] as const;
/** A replica looks once a second: less is not late. */
const LATE_MS = 60_000n;

/** Tasks for people. */
export function taskTable(tasks: readonly MaintenanceTask[]): string {
  return tableText(
    TITLES,
    tasks.map((task) => [
      task.name,
      stateOf(task),
      timeText(task.lastSuccessTime),
      timeText(task.nextRunTime),
      String(task.lastCount),
      String(task.totalCount),
      task.lastError,
    ]),
  );
}

function stateOf({ running, lastError, lagMs, lastFinishTime }: MaintenanceTask): string {
  if (running) return 'running';
  if (lastError !== '') return 'failed';
  if (lagMs > LATE_MS) return 'overdue';
  return lastFinishTime === undefined ? 'never ran' : 'well';
}
