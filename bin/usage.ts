import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

export const USAGE = `Usage: optix <command> [options]

  start               run PostgreSQL, Redis and both services on this machine
    --fresh           delete the data of former runs first
    --data-dir DIR    where the data is kept (also OPTIX_DATA_DIR)
  migrate             bring the database that DATABASE_URL names up to date
  help                show this

Settings are environment variables; a file .env beside package.json is read too.`;

/** The command line can't be understood. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/**
 * Reads a command's flags. There are no positional arguments.
 *
 * @throws UsageError
 */
export function parseFlags<O extends ParseArgsOptionsConfig>(args: string[], options: O) {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!code.startsWith('ERR_PARSE_ARGS_')) throw error;
    throw new UsageError((error as Error).message);
  }
}
