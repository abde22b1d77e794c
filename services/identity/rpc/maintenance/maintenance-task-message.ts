import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  type MaintenanceTask as MaintenanceTaskMessage,
  MaintenanceTaskSchema,
} from '../../../../gen/optix/identity/v1/maintenance_service_pb.ts';
import type { TaskStatus } from '../../domain/maintenance/get-maintenance-status.ts';

/** A maintenance task in the contract's form. */
export function maintenanceTaskMessage({ task, state }: TaskStatus): MaintenanceTaskMessage {
  const message = create(MaintenanceTaskSchema, {
    name: task.name,
    description: task.description,
    intervalSeconds: BigInt(Math.round(task.intervalMs / 1000)),
  });
  if (state === null) return message;
  message.nextRunTime = timestampFromDate(state.nextRunAt);
  if (state.lastStartedAt !== null) message.lastStartTime = timestampFromDate(state.lastStartedAt);
  if (state.lastFinishedAt !== null) message.lastFinishTime = timestampFromDate(state.lastFinishedAt);
  if (state.lastSucceededAt !== null) message.lastSuccessTime = timestampFromDate(state.lastSucceededAt);
  message.lastError = state.lastError;
  message.lastCount = state.lastCount;
  message.totalCount = state.totalCount;
  message.running = state.isRunning;
  message.lagMs = BigInt(state.lagMs);
  return message;
}
