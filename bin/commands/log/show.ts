import { EXIT } from '../../output/exit-code.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { CONNECTION_FLAGS, CONNECTION_HELP, withOperations } from './connect.ts';
import { printSettings } from './print-settings.ts';

const HELP = `Usage: optix log show --service identity|ratelimit [options]

Tells what a running process logs: from which level on, from how long on statements are slow, whether their plans are
logged, and until when that holds.

${CONNECTION_HELP}

  optix log show --service identity`;

/** `optix log show`: what a process logs. */
export async function showLog(args: string[]): Promise<number> {
  const read = readArguments({ name: 'log show', help: HELP, options: CONNECTION_FLAGS }, args);
  if (read === undefined) return EXIT.DONE;
  const { logSettings } = await withOperations(read.values, (client) => client.getLogSettings({}));
  printSettings(logSettings, read.values.json);
  return EXIT.DONE;
}
