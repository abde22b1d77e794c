/** A table with rows of its own. */
export interface SchemaTable {
  readonly name: string;
  /** In their order; without those that are computed. */
  readonly columns: readonly string[];
  /** The column that it is partitioned by; null where it is not partitioned. */
  readonly partitionKey: string | null;
  /** On disk, with its partitions and without indexes, in bytes. */
  readonly sizeBytes: number;
}

/** Runs a statement without parameters, on one connection. */
export type Ask = <Row extends object>(sql: string) => Promise<readonly Row[]>;

/** Which migrations ran: a backup has it in its manifest, and a restore runs them. */
export const MIGRATIONS = 'mikro_orm_migrations';

/** Names as migrations give them. What somebody else has put into the schema under others is no part of a backup. */
export const NAME_PATTERN = '^[a-z_][a-z0-9_]*$';

/** The tables of identity's schema but that of the migrations, by name; none where there is no schema. */
export async function schemaTables(ask: Ask): Promise<readonly SchemaTable[]> {
  const rows = await ask<{ name: string; columns: string[]; key: string | null; bytes: string }>(
    `select c.relname as name, array_agg(a.attname::text order by a.attnum) as columns,
       (select k.attname from pg_partitioned_table p join pg_attribute k on k.attrelid = c.oid and k.attnum = p.partattrs[0]
         where p.partrelid = c.oid) as key,
       (select coalesce(sum(pg_relation_size(t.relid)), 0) from pg_partition_tree(c.oid) t) + pg_relation_size(c.oid) as bytes
     from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
       and a.attname ~ '${NAME_PATTERN}'
     where c.relnamespace = to_regnamespace('user_service') and c.relkind in ('r', 'p') and not c.relispartition
       and c.relname <> '${MIGRATIONS}' and c.relname ~ '${NAME_PATTERN}'
     group by c.oid, c.relname order by c.relname`,
  );
  return rows.map(({ name, columns, key, bytes }) => ({
    name,
    columns,
    partitionKey: key,
    sizeBytes: Number(bytes),
  }));
}

/** The names in an order in which a table comes after those that its foreign keys refer to. */
export async function inOrderOfReferences(ask: Ask, names: readonly string[]): Promise<readonly string[]> {
  const references = await ask<{ of: string; to: string }>(
    `select source.relname as of, target.relname as to
     from pg_constraint join pg_class source on source.oid = conrelid join pg_class target on target.oid = confrelid
     where contype = 'f' and source.relnamespace = to_regnamespace('user_service') and conrelid <> confrelid`,
  );
  const ordered: string[] = [];
  const waiting = new Set(names);
  while (waiting.size > 0) {
    const free = [...waiting].filter(
      (name) => !references.some(({ of, to }) => of === name && waiting.has(to)),
    );
    if (free.length === 0) throw new Error(`tables that refer to each other: ${[...waiting].join(', ')}`);
    for (const name of free) waiting.delete(name);
    ordered.push(...free);
  }
  return ordered;
}

/** A name in SQL. It comes from a catalogue or a manifest, which hold none but simple ones. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
