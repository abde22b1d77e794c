import { OperationsService } from '../../gen/optix/operations/v1/operations_service_pb.ts';
import { type ServiceTable, serviceTable } from '../service-table.ts';
import type { RequestRules } from '../validation.ts';
import type { LogControl } from './log-control.ts';
import { getLogSettings } from './rpc/get-log-settings.ts';
import { updateLogSettings, updateLogSettingsRules } from './rpc/update-log-settings.ts';

/** OperationsService, the same on every service. */
export function operationsServiceTable(control: LogControl): ServiceTable {
  return serviceTable(OperationsService, {
    getLogSettings: getLogSettings(control),
    updateLogSettings: updateLogSettings(control),
  });
}

/** The bounds of OperationsService's requests. */
export const operationsServiceRules: readonly RequestRules[] = [updateLogSettingsRules];
