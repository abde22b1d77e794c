import type { Client } from 'pg';
import type { Findings } from './finding.ts';

/** What is off only where somebody turned it off, and what that costs. */
const NEEDED: readonly { readonly name: string; readonly why: string }[] = [
  { name: 'fsync', why: 'a crash of the machine can destroy the whole database' },
  { name: 'full_page_writes', why: 'a crash of the machine can leave torn pages behind' },
  {
    name: 'synchronous_commit',
    why: 'a crash forgets what was answered: revocations, password changes, audit events',
  },
  {
    name: 'autovacuum',
    why: 'tables grow without end, and the server stops at the wraparound of transactions',
  },
];

/** What a replica takes beside its pool: the connection of its probe. */
const BESIDE_POOL = 1;

/** Looks at the server's configuration, as the service's role gets it. */
export async function checkPostgresSettings(
  client: Client,
  pool: { readonly databasePoolSize: number; readonly databaseMaxOverflow: number },
  findings: Findings,
): Promise<void> {
  const { rows } = await client.query<{ name: string; setting: string }>(
    'select name, setting from pg_settings where name = any($1::text[])',
    [
      [
        ...NEEDED.map(({ name }) => name),
        ...['max_connections', 'superuser_reserved_connections', 'reserved_connections'],
        ...['TimeZone', 'statement_timeout', 'server_encoding'],
      ],
    ],
  );
  const settings = new Map(rows.map(({ name, setting }) => [name, setting]));
  for (const { name, why } of NEEDED) {
    if (settings.get(name) === 'off') {
      findings.add('problem', `${name} is off`, why, `set ${name} = on in postgresql.conf, and reload`);
    } else findings.ok(`${name} is ${settings.get(name)}`);
  }
  checkTimeZone(settings.get('TimeZone') ?? '', findings);
  checkStatementTimeout(Number(settings.get('statement_timeout')), findings);
  await checkConnections(client, settings, pool, findings);
}

function checkTimeZone(zone: string, findings: Findings): void {
  if (/^(Etc\/)?(UTC|UCT|GMT)$/i.test(zone)) findings.ok(`the time zone is ${zone}`);
  else {
    findings.add(
      'warning',
      `the time zone is ${zone}`,
      'psql and reports show other times than logs and events, which are in UTC; nothing is stored wrongly',
      "set timezone = 'UTC' in postgresql.conf, or for the role",
    );
  }
}

function checkStatementTimeout(ms: number, findings: Findings): void {
  if (ms === 0) findings.ok('the server has no statement_timeout of its own');
  else {
    findings.add(
      'warning',
      `statement_timeout is ${ms} ms`,
      'backups and reports are cut off; identity and optix migrate set their own and are not',
      'leave it at 0 in postgresql.conf and for the role',
    );
  }
}

async function checkConnections(
  client: Client,
  settings: ReadonlyMap<string, string>,
  { databasePoolSize, databaseMaxOverflow }: Parameters<typeof checkPostgresSettings>[1],
  findings: Findings,
): Promise<void> {
  const of = (name: string) => Number(settings.get(name) ?? 0);
  const server = of('max_connections') - of('superuser_reserved_connections') - of('reserved_connections');
  const { rows } = await client.query<{ limit: number }>(
    'select rolconnlimit as limit from pg_roles where rolname = current_user',
  );
  const roleLimit = rows[0]?.limit ?? -1;
  const room = roleLimit < 0 ? server : Math.min(server, roleLimit);
  const each = databasePoolSize + databaseMaxOverflow + BESIDE_POOL;
  const text = `a replica of identity takes up to ${each} connections, of ${room} that there are`;
  const replicas = Math.floor(room / each);
  if (replicas >= 2) findings.ok(`${text}: room for ${replicas} replicas`);
  else {
    findings.add(
      replicas === 0 ? 'problem' : 'warning',
      text,
      replicas === 0
        ? 'calls fail in a rush, because the server refuses connections'
        : 'a second replica, as during an upgrade, is refused connections in a rush',
      'raise max_connections, or lower DATABASE_POOL_SIZE and DATABASE_MAX_OVERFLOW (docs/sizing.md)',
    );
  }
}
