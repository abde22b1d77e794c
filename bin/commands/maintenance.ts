import { chooseAction } from './choose-action.ts';
import { runMaintenance } from './maintenance/run.ts';
import { maintenanceStatus } from './maintenance/status.ts';

const HELP = `Usage: optix maintenance status [options]
       optix maintenance run <task> [options]

Tells how the maintenance of a running identity stands, and has a task run now. More by optix maintenance run --help and so on.`;

/** `optix maintenance`: what identity does by itself to stay small and fast. */
export async function maintenanceCommand(args: string[]): Promise<number> {
  return await chooseAction('maintenance', HELP, { status: maintenanceStatus, run: runMaintenance }, args);
}
