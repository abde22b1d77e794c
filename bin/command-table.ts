import type { Action } from './commands/choose-action.ts';

/** What a command is for, in the order of the usage. */
const GROUPS = ['Run', 'Limits', 'Users and sessions', 'Both services', 'Shell'] as const;

export interface CommandEntry {
  readonly group: (typeof GROUPS)[number];
  /** One line; what the command takes stands in its own `--help`. */
  readonly summary: string;
  /** Loaded when asked for: help and mistakes are answered at once. */
  readonly load: () => Promise<Action>;
}

/** Every command. The usage, completion and bin/every-command.test.ts take them from here. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  start: {
    group: 'Run',
    summary: 'run PostgreSQL, Redis and both services on this machine',
    load: async () => (await import('./commands/start.ts')).startCommand,
  },
  env: {
    group: 'Run',
    summary: 'print the settings of a running start, for a shell',
    load: async () => (await import('./commands/env.ts')).envCommand,
  },
  migrate: {
    group: 'Run',
    summary: 'bring the database that DATABASE_URL names up to date',
    load: async () => (await import('./commands/migrate.ts')).migrateCommand,
  },
  backup: {
    group: 'Run',
    summary: "copy identity's database, and the limiter's rules and keys",
    load: async () => (await import('./commands/backup.ts')).backupCommand,
  },
  restore: {
    group: 'Run',
    summary: 'load such a copy, or check it',
    load: async () => (await import('./commands/restore.ts')).restoreCommand,
  },
  doctor: {
    group: 'Run',
    summary: 'look for what is wrong with settings, services, PostgreSQL and Redis',
    load: async () => (await import('./commands/doctor.ts')).doctorCommand,
  },
  check: {
    group: 'Limits',
    summary: 'count one operation, and tell whether it may go on',
    load: async () => (await import('./commands/check.ts')).checkCommand,
  },
  peek: {
    group: 'Limits',
    summary: 'tell what a check would be answered, and count nothing',
    load: async () => (await import('./commands/peek.ts')).peekCommand,
  },
  rules: {
    group: 'Limits',
    summary: 'see and change the rules in force',
    load: async () => (await import('./commands/rules.ts')).rulesCommand,
  },
  top: {
    group: 'Limits',
    summary: 'show which keys are limited most',
    load: async () => (await import('./commands/top.ts')).topCommand,
  },
  tail: {
    group: 'Limits',
    summary: 'show decisions as they are made',
    load: async () => (await import('./commands/tail.ts')).tailCommand,
  },
  simulate: {
    group: 'Limits',
    summary: 'try rules on an access log',
    load: async () => (await import('./commands/simulate.ts')).simulateCommand,
  },
  users: {
    group: 'Users and sessions',
    summary: 'see, change, import and export users',
    load: async () => (await import('./commands/users.ts')).usersCommand,
  },
  sessions: {
    group: 'Users and sessions',
    summary: "show and end a user's sessions",
    load: async () => (await import('./commands/sessions.ts')).sessionsCommand,
  },
  keys: {
    group: 'Users and sessions',
    summary: 'show, rotate and revoke the keys that access tokens are signed with',
    load: async () => (await import('./commands/keys.ts')).keysCommand,
  },
  events: {
    group: 'Users and sessions',
    summary: 'read, follow and check the audit log',
    load: async () => (await import('./commands/events.ts')).eventsCommand,
  },
  maintenance: {
    group: 'Users and sessions',
    summary: 'see and run what identity does by itself',
    load: async () => (await import('./commands/maintenance.ts')).maintenanceCommand,
  },
  callers: {
    group: 'Both services',
    summary: 'make, show, rotate and revoke the API keys of callers',
    load: async () => (await import('./commands/callers.ts')).callersCommand,
  },
  log: {
    group: 'Both services',
    summary: 'see and change what a running process logs',
    load: async () => (await import('./commands/log.ts')).logCommand,
  },
  completion: {
    group: 'Shell',
    summary: 'print a completion script (bash, zsh, fish)',
    load: async () => (await import('./commands/completion.ts')).completionCommand,
  },
};

/** The commands by group, for people. */
export function commandList(): string {
  return GROUPS.map((group) => {
    const lines = Object.entries(COMMANDS)
      .filter(([, entry]) => entry.group === group)
      .map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`);
    return `${group}:\n${lines.join('\n')}`;
  }).join('\n\n');
}
