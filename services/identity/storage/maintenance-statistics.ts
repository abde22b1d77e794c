import type { EntityManager } from '@mikro-orm/postgresql';
import type { Statistics } from '../domain/maintenance/statistics.ts';
import { query } from './sql.ts';

/**
 * Tables and partitions in which twice as much has changed as makes autovacuum refresh their statistics (PostgreSQL,
 * section 24.1.6: 50 rows and a tenth): it is off, or far behind.
 */
const STALE_TABLES = `
  select c.relname as name from pg_class c join pg_stat_all_tables s on s.relid = c.oid
  where c.relnamespace = 'user_service'::regnamespace and c.relkind = 'r'
    and s.n_mod_since_analyze > 2 * (50 + 0.1 * greatest(c.reltuples, 0))`;

/**
 * Partitioned tables, which autovacuum never looks after: those of which a partition has changed by a tenth since, and so
 * had its own statistics made anew.
 */
const STALE_PARENTS = `
  select c.relname as name
  from pg_class c
    join pg_inherits i on i.inhparent = c.oid
    join pg_stat_all_tables p on p.relid = i.inhrelid
    left join pg_stat_all_tables s on s.relid = c.oid
  where c.relnamespace = 'user_service'::regnamespace and c.relkind = 'p'
  group by c.oid, c.relname, s.last_analyze
  having greatest(max(p.last_analyze), max(p.last_autoanalyze)) > coalesce(s.last_analyze, '-infinity')`;

/** Statistics of the tables of PostgreSQL. */
export class StatisticsRepository implements Statistics {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async findStale(): Promise<readonly string[]> {
    const rows = await query<{ name: string }>(
      this.#em,
      `${STALE_TABLES} union all ${STALE_PARENTS} order by name`,
      [],
    );
    return rows.map(({ name }) => name);
  }

  async refresh(table: string): Promise<void> {
    await query(this.#em, 'select user_service.analyze_table(?)', [table]);
  }
}
