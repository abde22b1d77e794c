import type { MaintenanceDeps } from './maintenance-deps.ts';
import type { TaskState } from './maintenance-store.ts';
import type { MaintenanceTask } from './maintenance-task.ts';

/** A task and how it stands. */
export interface TaskStatus {
  readonly task: MaintenanceTask;
  /** Null before any replica has done maintenance with this task. */
  readonly state: TaskState | null;
}

export interface MaintenanceStatus {
  /** By name. */
  readonly tasks: readonly TaskStatus[];
  /** The replica that runs them; null where none does. */
  readonly runner: string | null;
  readonly unsealedEvents: number;
  /** How long the oldest of them has waited, in milliseconds. */
  readonly sealingLagMs: number;
}

/** Tells how maintenance stands, on whichever replica it is done. @throws DatabaseUnavailable */
export async function getMaintenanceStatus({
  store,
  tasks,
  sealing,
}: MaintenanceDeps): Promise<MaintenanceStatus> {
  const { tasks: states, runner } = await store.status();
  const { unsealed, oldestMs } = await sealing.lag();
  const byName = new Map(states.map((state) => [state.name, state]));
  return {
    tasks: tasks
      .map((task) => ({ task, state: byName.get(task.name) ?? null }))
      .sort((a, b) => (a.task.name < b.task.name ? -1 : 1)),
    runner,
    unsealedEvents: unsealed,
    sealingLagMs: oldestMs,
  };
}
