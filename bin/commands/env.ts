import { defaultDataDirectory } from '../../stack/data-directory.ts';
import { readEnvironment } from '../../stack/environment-file.ts';
import { HOME_DIRECTORY } from '../home-directory.ts';
import { EXIT } from '../output/exit-code.ts';
import { printJson } from '../output/message-json.ts';
import { readArguments } from '../output/read-arguments.ts';

const HELP = `Usage: optix env [options]

Prints the settings that the services of a running \`optix start\` have, as lines for a shell: with them, commands that go to
the stores themselves (doctor, migrate, backup, restore) and services started by hand use the same PostgreSQL and Redis.
Holds passwords.

  --data-dir DIR    the data directory of that start (also OPTIX_DATA_DIR)
  --json            print JSON

Exit code: 0, or 1 where none runs.

  eval "$(optix env)"`;

const OPTIONS = { 'data-dir': { type: 'string' } } as const;

/** `optix env`: the settings of the stack that runs on this machine. */
export async function envCommand(args: string[]): Promise<number> {
  const given = readArguments({ name: 'env', help: HELP, options: OPTIONS }, args);
  if (given === undefined) return EXIT.DONE;
  const { values } = given;
  const directory =
    values['data-dir'] || process.env['OPTIX_DATA_DIR'] || defaultDataDirectory(HOME_DIRECTORY);
  const variables = readEnvironment(directory);
  if (variables === undefined) {
    throw new Error(`no optix start runs on the data directory ${directory} (--data-dir)`);
  }
  if (values.json) printJson(variables);
  else for (const [name, value] of Object.entries(variables)) console.log(`export ${name}=${quoted(value)}`);
  return EXIT.DONE;
}

/** As one word of a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
