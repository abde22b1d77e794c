import type { Readable } from 'node:stream';
import { Client } from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { BackupRefused, withRoleAdvice } from './errors.ts';
import { NO_TIMEOUTS } from './no-timeouts.ts';
import {
  type Ask,
  MIGRATIONS,
  NAME_PATTERN,
  quoted,
  type SchemaTable,
  schemaTables,
} from './schema-tables.ts';

/** A table as it was dumped. */
export interface DumpedTable {
  readonly name: string;
  readonly columns: readonly string[];
  readonly rows: number;
  /** Of a partitioned table: the time of its oldest row, RFC 3339; null where it has none, or is not partitioned. */
  readonly since: string | null;
}

/** All that a restore needs to know beside the rows. */
export interface DatabaseDump {
  /** When the snapshot was taken, by the database's clock, RFC 3339. */
  readonly takenAt: string;
  readonly serverVersion: string;
  /** Names of the migrations that had run, oldest first. */
  readonly migrations: readonly string[];
  readonly tables: readonly DumpedTable[];
  readonly sequences: readonly { readonly name: string; readonly value: string }[];
  /** Ids of the encryption keys that secrets are sealed with, never a key. */
  readonly encryptionKeys: readonly { readonly id: string; readonly secrets: number }[];
  /** The last seal of the audit log's chain, the hash in hex. */
  readonly chain: { readonly sequence: string; readonly hash: string } | null;
}

export interface DumpOptions {
  /** Takes the rows of a table, as COPY's text, and is waited for. */
  readonly write: (table: string, rows: Readable) => Promise<void>;
  /** How many bytes of how many; an estimate from the tables' sizes. */
  readonly onProgress: (readBytes: number, sizeBytes: number) => void;
  /** Ends it at once, also where it waits for a lock. */
  readonly signal?: AbortSignal;
}

const CONNECT_MS = 10_000;
const ADVICE = 'give DATABASE_URL the role of identity, or the one that owns the schema';

/** Columns that name the key a secret is sealed with, in any version of the schema. */
const KEY_COLUMNS: readonly (readonly [table: string, column: string])[] = [
  ['outgoing_mails', 'payload_key_id'],
  ['signing_keys', 'private_key_key_id'],
  ['totp_authenticators', 'secret_key_id'],
  ['users', 'mfa_secret_key_id'],
];

/** No time-outs of the server's, and one form of values whatever its settings are, as pg_dump has it. */
const SESSION = `${NO_TIMEOUTS}; set lock_timeout = '60s';
  set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'postgres'; set bytea_output = 'hex';
  set extra_float_digits = 1; set client_encoding = 'UTF8'; set row_security = off`;

/**
 * Reads every row of identity's schema as it was at one moment, while the service goes on. Changes nothing.
 *
 * @throws BackupRefused where the server can't be reached, there is no such schema, the role may not read it, or a migration
 *   came in between
 */
export async function dumpDatabase(databaseUrl: string, options: DumpOptions): Promise<DatabaseDump> {
  const client = new Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    application_name: 'optix-backup',
  });
  // A server that ends says so also while nothing is asked; the next query fails all the same.
  client.on('error', () => undefined);
  await client.connect().catch((error: NodeJS.ErrnoException) => {
    throw new BackupRefused(`the database can't be reached: ${error.message || error.code}`, {
      cause: error,
    });
  });
  // Breaks the connection off where a statement runs.
  const abort = () => void client.end();
  options.signal?.addEventListener('abort', abort);
  try {
    options.signal?.throwIfAborted();
    await client.query(SESSION);
    return await dump(client, options);
  } catch (error) {
    throw withRoleAdvice(error, ADVICE);
  } finally {
    options.signal?.removeEventListener('abort', abort);
    await client.end();
  }
}

async function dump(client: Client, { write, onProgress }: DumpOptions): Promise<DatabaseDump> {
  const ask: Ask = async (sql) => (await client.query(sql)).rows;
  const tables = await lockTables(client, ask);
  const [facts] = await ask<{ at: Date; version: string }>(
    `select now() as at, current_setting('server_version') as version`,
  );
  const migrations = await ask<{ name: string }>(`select name from user_service.${MIGRATIONS} order by name`);
  const sizeBytes = tables.reduce((sum, table) => sum + table.sizeBytes, 0);
  const dumped: DumpedTable[] = [];
  let doneBytes = 0;
  for (const table of tables) {
    let copied = 0;
    const columns = table.columns.map(quoted).join(', ');
    // A query, as COPY takes no partitioned table by its name before PostgreSQL 19.
    const rows = client.query(
      copyTo(`copy (select ${columns} from user_service.${quoted(table.name)}) to stdout`),
    );
    rows.on('data', (chunk: Buffer) => {
      copied += chunk.length;
      onProgress(doneBytes + Math.min(copied, table.sizeBytes), sizeBytes);
    });
    await write(table.name, rows);
    doneBytes += table.sizeBytes;
    dumped.push({
      name: table.name,
      columns: table.columns,
      rows: rows.rowCount,
      since: await oldest(ask, table),
    });
  }
  return {
    takenAt: facts?.at.toISOString() ?? '',
    serverVersion: facts?.version ?? '',
    migrations: migrations.map(({ name }) => name),
    tables: dumped,
    // After the rows: a sequence is of no snapshot, and must not be behind them.
    sequences: await sequencesOf(ask),
    encryptionKeys: await encryptionKeys(ask, tables),
    chain: await chainEnd(ask, tables),
  };
}

/**
 * Begins the snapshot. The locks come first: a table that is dropped or altered is gone for older snapshots too, and
 * retention drops partitions. They keep nobody from reading or writing.
 */
async function lockTables(client: Client, ask: Ask): Promise<readonly SchemaTable[]> {
  const before = await schemaTables(ask);
  if (before.length === 0) {
    throw new BackupRefused(
      'the database has no tables in user_service: DATABASE_URL must name that of identity',
    );
  }
  // Enough without SERIALIZABLE: one snapshot has all of a transaction or nothing, and the service relies on no more.
  await client.query('begin isolation level repeatable read read only');
  const names = [...before.map(({ name }) => name), MIGRATIONS].map((name) => `user_service.${quoted(name)}`);
  await client.query(`lock table ${names.join(', ')} in access share mode`);
  const tables = await schemaTables(ask);
  const formOf = (all: readonly SchemaTable[]) => JSON.stringify(all.map((one) => [one.name, one.columns]));
  if (formOf(before) !== formOf(tables)) {
    throw new BackupRefused('the schema was migrated just now: run the backup again');
  }
  return tables;
}

/** Ids of partitioned tables are UUIDs of version 7: their first 48 bits are milliseconds since 1970 (RFC 9562 section 5.7). */
async function oldest(ask: Ask, { name, partitionKey }: SchemaTable): Promise<string | null> {
  if (partitionKey === null) return null;
  const key = quoted(partitionKey);
  const [row] = await ask<{ id: string }>(
    `select ${key}::text as id from user_service.${quoted(name)} order by ${key} limit 1`,
  );
  if (row === undefined) return null;
  const at = Number.parseInt(row.id.replaceAll('-', '').slice(0, 12), 16);
  // Whatever has an id that tells no time goes to the default partition.
  return new Date(Math.min(at, Date.now())).toISOString();
}

async function sequencesOf(ask: Ask): Promise<DatabaseDump['sequences']> {
  const rows = await ask<{ name: string; value: string | null; readable: boolean }>(
    `select sequencename as name, last_value::text as value,
       has_sequence_privilege(format('%I.%I', schemaname, sequencename), 'usage, select') as readable
     from pg_sequences
     where schemaname = 'user_service' and sequencename not like '${MIGRATIONS}%' and sequencename ~ '${NAME_PATTERN}'
     order by 1`,
  );
  // To who may not read it, PostgreSQL gives no value, as of a sequence that was never used.
  const unreadable = rows.filter(({ readable }) => !readable).map(({ name }) => name);
  if (unreadable.length > 0) {
    throw new BackupRefused(`permission denied for sequence ${unreadable.join(', ')}: ${ADVICE}`);
  }
  return rows.flatMap(({ name, value }) => (value === null ? [] : [{ name, value }]));
}

async function encryptionKeys(
  ask: Ask,
  tables: readonly SchemaTable[],
): Promise<DatabaseDump['encryptionKeys']> {
  const present = KEY_COLUMNS.filter(([table, column]) =>
    tables.some(({ name, columns }) => name === table && columns.includes(column)),
  );
  if (present.length === 0) return [];
  const ids = present.map(([table, column]) => `select ${column} as id from user_service.${table}`);
  return await ask<{ id: string; secrets: number }>(
    `select id, count(*)::int as secrets from (${ids.join(' union all ')}) as sealed
     where id is not null group by id order by id`,
  );
}

async function chainEnd(ask: Ask, tables: readonly SchemaTable[]): Promise<DatabaseDump['chain']> {
  if (!tables.some(({ name }) => name === 'security_event_seals')) return null;
  const end = (table: string) =>
    `(select sequence, encode(chain_hash, 'hex') as hash from user_service.${table} order by sequence desc limit 1)`;
  const [last] = await ask<{ sequence: string; hash: string }>(
    `select sequence::text, hash from (${end('security_event_seals')} union all ${end('security_event_checkpoints')}) as ends
     order by ends.sequence desc limit 1`,
  );
  return last ?? null;
}
