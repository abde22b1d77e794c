import type { MethodImpl } from '@connectrpc/connect';
import type { MaintenanceService } from '../../../../gen/optix/identity/v1/maintenance_service_pb.ts';
import type { MaintenanceDeps } from '../../domain/maintenance/maintenance-deps.ts';
import { runMaintenanceTask as requestRun } from '../../domain/maintenance/run-maintenance-task.ts';
import { Fields } from '../fields.ts';
import { maintenanceTaskMessage } from './maintenance-task-message.ts';

/** As tasks are named. */
const NAME = /^[a-z_]{1,64}$/;

/** optix.identity.v1.MaintenanceService/RunMaintenanceTask */
export function runMaintenanceTask(context: {
  readonly maintenance: MaintenanceDeps;
}): MethodImpl<typeof MaintenanceService.method.runMaintenanceTask> {
  return async ({ name }) => {
    const fields = new Fields();
    if (!NAME.test(name)) {
      fields.add('name', 'must be the name of a task: 1 to 64 lower-case letters and underscores');
    }
    fields.check();
    return { task: maintenanceTaskMessage(await requestRun(context.maintenance, name)) };
  };
}
