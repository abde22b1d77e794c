import { MaintenanceTaskNotFound } from './errors.ts';
import type { TaskStatus } from './get-maintenance-status.ts';
import type { MaintenanceDeps } from './maintenance-deps.ts';

/**
 * Has a task be due at once: whichever replica does the maintenance runs it within seconds, once more where it runs already.
 *
 * @throws MaintenanceTaskNotFound, DatabaseUnavailable
 */
export async function runMaintenanceTask(
  { store, tasks }: Pick<MaintenanceDeps, 'store' | 'tasks'>,
  name: string,
): Promise<TaskStatus> {
  const task = tasks.find((known) => known.name === name);
  if (task === undefined) throw new MaintenanceTaskNotFound();
  return { task, state: await store.request(name) };
}
