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
  sessions: async () => (await import('./commands/sessions.ts')).sessionsCommand,
  keys: async () => (await import('./commands/keys.ts')).keysCommand,
  events: async () => (await import('./commands/events.ts')).eventsCommand,
  maintenance: async () => (await import('./commands/maintenance.ts')).maintenanceCommand,
  callers: async () => (await import('./commands/callers.ts')).callersCommand,
  migrate: async () => (await import('./commands/migrate.ts')).migrateCommand,
  simulate: async () => (await import('./commands/simulate.ts')).simulateCommand,
  check: async () => (await import('./commands/check.ts')).checkCommand,
  peek: async () => (await import('./commands/peek.ts')).peekCommand,
  rules: async () => (await import('./commands/rules.ts')).rulesCommand,
  top: async () => (await import('./commands/top.ts')).topCommand,
  tail: async () => (await import('./commands/tail.ts')).tailCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
  completion: async () => (await import('./commands/completion.ts')).completionCommand,
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
