#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from './checkout.ts';
import { USAGE, UsageError } from './usage.ts';

type Command = (args: string[]) => Promise<number>;

/** Loaded when asked for: help and mistakes are answered at once. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  start: async () => (await import('./commands/start.ts')).startCommand,
  users: async () => (await import('./commands/users.ts')).usersCommand,
  callers: async () => (await import('./commands/callers.ts')).callersCommand,
  migrate: async () => (await import('./commands/migrate.ts')).migrateCommand,
  simulate: async () => (await import('./commands/simulate.ts')).simulateCommand,
};

async function main([name, ...args]: string[]): Promise<number> {
  if (name === 'help' || name === '--help' || name === '-h') {
    console.log(USAGE);
    return 0;
  }
  if (name === undefined) throw new UsageError('which command?');
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!load) throw new UsageError(`there is no command "${name}"`);
  const envFile = join(CHECKOUT, '.env');
  // What the environment already has wins over the file.
  if (existsSync(envFile)) process.loadEnvFile(envFile);
  const command = await load();
  return command(args);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`optix: ${error.message}\n\n${USAGE}`);
    process.exitCode = 2;
  } else {
    const debug = /^(1|true|yes|on)$/i.test(process.env['DEBUG'] ?? '');
    console.error(debug ? error : `optix: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
