/** What the shell can complete after a command: its actions, and the flags of each. */
export interface CommandWords {
  /** The flags where there is no action. */
  readonly flags: readonly string[];
  readonly actions: Readonly<Record<string, readonly string[]>>;
}

const CONNECTION = ['--address', '--tls', '--ca', '--cert', '--cert-key'];
/** Of each command that calls a service and prints tables. */
const CALLS = [...CONNECTION, '--json', '--help'];
const CALLERS = [...CONNECTION, '--service'];
const SAID = [...CONNECTION, '--id', '--actor', '--reason'];

const leaf = (...flags: string[]): CommandWords => ({ flags, actions: {} });
const branch = (actions: CommandWords['actions']): CommandWords => ({ flags: [], actions });

/** Every command. completion.test.ts holds this against the commands and their help. */
export const COMMAND_WORDS: Readonly<Record<string, CommandWords>> = {
  start: leaf('--fresh', '--data-dir'),
  migrate: leaf(),
  check: leaf('--cost', '--role', ...CALLS),
  peek: leaf('--cost', '--role', ...CALLS),
  rules: branch({
    list: CALLS,
    show: CALLS,
    edit: CALLS,
    apply: ['--dry-run', '--prune', ...CALLS],
    diff: ['--prune', ...CALLS],
  }),
  top: leaf('--denied', '--checked', '--endpoint', '--count', '--watch', ...CALLS),
  tail: leaf('--endpoint', '--identifier', '--denied', '--sample', ...CALLS),
  users: branch({
    list: [...CONNECTION, '--prefix', '--status', '--roles', '--order-by', '--deleted'],
    get: [...CONNECTION, '--id', '--email'],
    create: [...CONNECTION, '--email', '--first-name', '--last-name', '--phone', '--roles', '--actor'],
    suspend: SAID,
    reactivate: SAID,
    unlock: SAID,
    roles: [...SAID, '--roles'],
  }),
  sessions: branch({
    list: ['--user', '--ended', ...CALLS],
    revoke: ['--user', '--except', '--actor', '--reason', ...CALLS],
  }),
  keys: branch({
    list: CALLS,
    rotate: ['--force', '--actor', ...CALLS],
    revoke: ['--actor', '--reason', ...CALLS],
  }),
  events: branch({
    list: [
      ...['--user', '--session', '--type', '--min-severity', '--since', '--until', '--unresolved', '--limit'],
      ...CALLS,
    ],
    tail: ['--cursor', '--from-beginning', '--type', '--min-severity', ...CALLS],
    verify: ['--anchor', '--from-anchor', ...CALLS],
    resolve: ['--by', '--note', ...CALLS],
  }),
  maintenance: branch({ status: CALLS, run: ['--timeout', '--no-wait', ...CALLS] }),
  callers: branch({
    create: [...CALLERS, '--name', '--scopes', '--ttl'],
    list: CALLERS,
    rotate: [...CALLERS, '--id', '--overlap', '--ttl'],
    revoke: [...CALLERS, '--id'],
    hash: [],
  }),
  simulate: leaf(
    ...['--rules', '--endpoint', '--map', '--by', '--format', '--fields', '--reorder', '--duration'],
    ...['--suggest', '--top', '--json', '--svg', '--help'],
  ),
  doctor: leaf('--only', '--json', '--help'),
  completion: branch({ bash: [], zsh: [], fish: [] }),
  help: leaf(),
};
