import type { MethodImpl } from '@connectrpc/connect';
import type { OperationsService } from '../../../gen/optix/operations/v1/operations_service_pb.ts';
import type { LogControl } from '../log-control.ts';
import { logSettingsMessage } from './log-settings-message.ts';

/** optix.operations.v1.OperationsService/GetLogSettings */
export function getLogSettings(
  control: LogControl,
): MethodImpl<typeof OperationsService.method.getLogSettings> {
  return () => ({ logSettings: logSettingsMessage(control.settings) });
}
