import type { EntityManager } from '@mikro-orm/postgresql';
import { withDatabaseErrors } from './database-errors.ts';

/**
 * Runs one statement through MikroORM's connection, within the entity manager's transaction if there is one. A sixth of
 * the processor time of loading an entity: for reads that every request needs, and for conditional updates.
 *
 * @throws DatabaseUnavailable, DatabaseError
 */
export async function query<Row extends object>(
  em: EntityManager,
  sql: string,
  params: readonly unknown[],
): Promise<Row[]> {
  return await withDatabaseErrors(() =>
    em.getConnection().execute<Row[]>(sql, params, 'all', em.getTransactionContext()),
  );
}

/** A timestamptz as it comes back from {@link query}: text, as the server writes it. */
export type TimestampText = string;

export function toDate(text: TimestampText): Date {
  return new Date(text);
}

export function toDateOrNull(text: TimestampText | null): Date | null {
  return text === null ? null : new Date(text);
}
