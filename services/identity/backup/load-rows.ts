import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { DatabaseDump } from './dump-database.ts';
import { BackupRefused } from './errors.ts';
import { type Ask, inOrderOfReferences, quoted, schemaTables } from './schema-tables.ts';

/** What came of it. */
export interface LoadedRows {
  readonly rows: number;
  /** Tables (`notes`), columns (`users.note`) and sequences of the dump that no migration makes. */
  readonly leftOut: readonly string[];
}

/** As the values were written. */
const SESSION = `set local timezone = 'UTC'; set local datestyle = 'ISO'; set local intervalstyle = 'postgres';
  set local client_encoding = 'UTF8'`;

/**
 * Loads all rows into the empty tables of the same version, within the client's transaction.
 *
 * What somebody had added to the schema is left out: better than no restore.
 *
 * @param known names of the tables that this program works with
 * @param open gives the rows of a table, as COPY's text
 * @throws BackupRefused where the dump lacks a table, or numbers of rows are not those of the dump
 */
export async function loadRows(
  client: PoolClient,
  dump: DatabaseDump,
  known: ReadonlySet<string>,
  open: (table: string) => Readable,
): Promise<LoadedRows> {
  const ask: Ask = async (sql) => (await client.query(sql)).rows;
  await client.query(SESSION);
  const present = new Map((await schemaTables(ask)).map((table) => [table.name, table]));
  const dumped = new Map(dump.tables.map((table) => [table.name, table]));
  const missing = [...present.keys()].filter((name) => known.has(name) && !dumped.has(name));
  if (missing.length > 0) throw new BackupRefused(`the backup lacks the tables ${missing.join(', ')}`);
  const leftOut = [...dumped.keys()].filter((name) => !present.has(name));

  let loaded = 0;
  for (const name of await inOrderOfReferences(ask, [...dumped.keys()])) {
    const table = dumped.get(name);
    const target = present.get(name);
    if (table === undefined || target === undefined) continue;
    // COPY skips no column: those that are unknown are there for as long as it runs.
    const added = table.columns.filter((column) => !target.columns.includes(column));
    const alter = async (action: (column: string) => string) => {
      if (added.length === 0) return;
      await client.query(
        `alter table user_service.${quoted(name)} ${added.map(quoted).map(action).join(', ')}`,
      );
    };
    await alter((column) => `add column ${column} text`);
    leftOut.push(...added.map((column) => `${name}.${column}`));
    // All months that have rows, where the database has none for them yet: what no partition takes goes to the default one.
    if (target.partitionKey !== null) {
      await client.query('select user_service.ensure_partitions($1, $2, 3)', [name, table.since]);
    }
    const columns = table.columns.map(quoted).join(', ');
    const rows = client.query(copyFrom(`copy user_service.${quoted(name)} (${columns}) from stdin`));
    await pipeline(open(name), rows);
    if (rows.rowCount !== table.rows) {
      throw new BackupRefused(`${name} has ${rows.rowCount} rows, and not the ${table.rows} of the manifest`);
    }
    await alter((column) => `drop column ${column}`);
    loaded += table.rows;
  }
  for (const { name, value } of dump.sequences) {
    const { rowCount } = await client.query(
      `select setval(oid, $2) from pg_class where oid = to_regclass($1) and relkind = 'S'`,
      [`user_service.${quoted(name)}`, value],
    );
    if (rowCount === 0) leftOut.push(name);
  }
  return { rows: loaded, leftOut };
}
