import { chooseAction } from './choose-action.ts';
import { setLog } from './log/set.ts';
import { showLog } from './log/show.ts';

const HELP = `Usage: optix log show --service identity|ratelimit [options]
       optix log set --service identity|ratelimit [options]

Tells and changes what a running process logs. More by optix log set --help and so on.

  optix log set --service identity --level debug --for 10m`;

/** `optix log`: what a running process logs. */
export async function logCommand(args: string[]): Promise<number> {
  return await chooseAction('log', HELP, { show: showLog, set: setLog }, args);
}
