import type { EntityManager } from '@mikro-orm/postgresql';
import { RetentionRefused } from '../domain/maintenance/errors.ts';
import type { PartitionedTable, Partitions, RetainedTable } from '../domain/maintenance/partitions.ts';
import { DatabaseError } from './database-errors.ts';
import { query } from './sql.ts';

/** SQLSTATE object_not_in_prerequisite_state. */
const REFUSED = '55000';

/** Partitions in PostgreSQL, by functions of the schema's owner: the service may neither make nor drop tables. */
export class PartitionRepository implements Partitions {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async ensure(table: PartitionedTable, monthsAhead: number): Promise<readonly string[]> {
    return await this.#names('select user_service.ensure_partitions(?, null, ?) as name', [
      table,
      monthsAhead,
    ]);
  }

  async dropOldest(table: RetainedTable, before: Date): Promise<readonly string[]> {
    try {
      return await this.#names('select user_service.drop_partitions(?, ?) as name', [table, before]);
    } catch (error) {
      throw error instanceof DatabaseError && error.sqlState === REFUSED ? new RetentionRefused() : error;
    }
  }

  async #names(sql: string, params: readonly unknown[]): Promise<readonly string[]> {
    return (await query<{ name: string }>(this.#em, sql, params)).map(({ name }) => name);
  }
}
