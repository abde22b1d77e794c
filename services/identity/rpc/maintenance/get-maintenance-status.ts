import type { MethodImpl } from '@connectrpc/connect';
import type { MaintenanceService } from '../../../../gen/optix/identity/v1/maintenance_service_pb.ts';
import { getMaintenanceStatus as readStatus } from '../../domain/maintenance/get-maintenance-status.ts';
import type { MaintenanceDeps } from '../../domain/maintenance/maintenance-deps.ts';
import { maintenanceTaskMessage } from './maintenance-task-message.ts';

/** optix.identity.v1.MaintenanceService/GetMaintenanceStatus */
export function getMaintenanceStatus(context: {
  readonly maintenance: MaintenanceDeps;
}): MethodImpl<typeof MaintenanceService.method.getMaintenanceStatus> {
  return async () => {
    const { tasks, runner, unsealedEvents, sealingLagMs } = await readStatus(context.maintenance);
    return {
      tasks: tasks.map(maintenanceTaskMessage),
      runner: runner ?? '',
      unsealedEvents: BigInt(unsealedEvents),
      sealingLagMs: BigInt(Math.round(sealingLagMs)),
    };
  };
}
