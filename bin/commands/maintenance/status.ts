import {
  GetMaintenanceStatusResponseSchema,
  MaintenanceService,
} from '../../../gen/optix/identity/v1/maintenance_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { CONNECTION_FLAGS, callService } from '../call-service.ts';
import { IDENTITY_ADDRESS, IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { taskTable } from './task-table.ts';

const HELP = `Usage: optix maintenance status [options]

Tells what each task did last and when it runs again. Ends with 0 where the last run of each went well, else with 3.

${IDENTITY_FLAGS_HELP}

  optix maintenance status`;

/** `optix maintenance status`: how each task stands. */
export async function maintenanceStatus(args: string[]): Promise<number> {
  const read = readArguments({ name: 'maintenance status', help: HELP, options: CONNECTION_FLAGS }, args);
  if (read === undefined) return EXIT.DONE;
  const status = await callService(MaintenanceService, IDENTITY_ADDRESS, read.values, (client) =>
    client.getMaintenanceStatus({}),
  );
  if (read.values.json) printJson(messageJson(GetMaintenanceStatusResponseSchema, status));
  else {
    console.log(taskTable(status.tasks));
    console.log(`\nrun by: ${status.runner || 'no replica at this moment'}`);
    console.log(
      `audit events that wait for their seal: ${status.unsealedEvents} (${status.sealingLagMs} ms)`,
    );
  }
  return status.tasks.some(({ lastError }) => lastError !== '') ? EXIT.NO : EXIT.DONE;
}
