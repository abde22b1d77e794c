import type { Pool, PoolClient } from 'pg';
import type { TestOrm } from './testing-orm.ts';

/** A statement as it went to the server. */
export interface Statement {
  readonly sql: string;
  readonly values: readonly unknown[];
}

/** What EXPLAIN tells of a step, as far as it is of use here. */
interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly Plans?: readonly PlanNode[];
}

/** From how many rows on reading a whole table is a fault. */
const BIG = 3000;

/** Records the statements of a pool's connections: pass `onPoolCreated` to the ORM's settings. */
export class StatementRecorder {
  #recorded: Statement[] = [];

  readonly onPoolCreated = (pool: Pool): void => {
    pool.on('connect', (client) => this.#watch(client));
  };

  /** What `work` sent, but for the borders of transactions. */
  async of(work: () => Promise<unknown>): Promise<Statement[]> {
    this.#recorded = [];
    await work();
    return this.#recorded.filter(({ sql }) => /^\s*(?:select|insert|update|delete|with|\()/i.test(sql));
  }

  #watch(client: PoolClient): void {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    const watched = (...args: unknown[]): unknown => {
      const [sql, values] = args;
      if (typeof sql === 'string') this.#recorded.push({ sql, values: Array.isArray(values) ? values : [] });
      return query(...args);
    };
    client.query = watched as typeof client.query;
  }
}

/** The big tables that a statement would read from end to end. */
export async function scannedTables(db: TestOrm, { sql, values }: Statement): Promise<string[]> {
  const [row] = await db.rows(`explain (format json) ${sql}`, [...values]);
  const plans = (row?.['QUERY PLAN'] ?? []) as readonly { readonly Plan: PlanNode }[];
  const scanned = new Set<string>();
  const visit = (node: PlanNode): void => {
    const name = node['Relation Name'];
    if (node['Node Type'] === 'Seq Scan' && name !== undefined) scanned.add(name);
    for (const child of node.Plans ?? []) visit(child);
  };
  for (const { Plan } of plans) visit(Plan);
  if (scanned.size === 0) return [];
  const big = await db.rows(
    `select relname from pg_class where relnamespace = 'user_service'::regnamespace and relname = any($1)
       and reltuples >= ${BIG}`,
    [[...scanned]],
  );
  return big.map(({ relname }) => String(relname));
}
