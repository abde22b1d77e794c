import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { DatabaseDump } from './dump-database.ts';
import { BackupRefused } from './errors.ts';
import { type Ask, inOrderOfReferences, quoted, schemaTables } from './schema-tables.ts';

/** As the values were written. */
const SESSION = `set local timezone = 'UTC'; set local datestyle = 'ISO'; set local intervalstyle = 'postgres';
  set local client_encoding = 'UTF8'`;

/**
 * Loads all rows into the empty tables of the same version, within the client's transaction.
 *
 * @param open gives the rows of a table, as COPY's text
 * @returns how many rows
 * @throws BackupRefused where tables, columns or numbers of rows are not those of the dump
 */
export async function loadRows(
  client: PoolClient,
  dump: DatabaseDump,
  open: (table: string) => Readable,
): Promise<number> {
  const ask: Ask = async (sql) => (await client.query(sql)).rows;
  await client.query(SESSION);
  const present = new Map((await schemaTables(ask)).map((table) => [table.name, table]));
  const dumped = new Map(dump.tables.map((table) => [table.name, table]));
  const unknown = [...dumped.keys()].filter((name) => !present.has(name));
  if (unknown.length > 0) throw new BackupRefused(`there are no such tables: ${unknown.join(', ')}`);

  let loaded = 0;
  for (const name of await inOrderOfReferences(ask, [...dumped.keys()])) {
    const table = dumped.get(name);
    const target = present.get(name);
    if (table === undefined || target === undefined) continue;
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
    loaded += table.rows;
  }
  for (const { name, value } of dump.sequences) {
    await client.query('select setval($1::regclass, $2)', [`user_service.${quoted(name)}`, value]);
  }
  return loaded;
}
