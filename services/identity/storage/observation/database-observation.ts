import type { Pool, PoolClient } from 'pg';
import type { DatabaseMetrics } from '../../database-metrics.ts';
import { connectFailureReason, isConnectionLost, sqlStateOf } from './connection-failure.ts';
import { PlanReader } from './plan-reader.ts';
import type { SlowQueryLog } from './slow-query-log.ts';
import { StatementFamilies } from './statement-families.ts';
import { endStatementSpan, type ServerAddress, startStatementSpan } from './statement-span.ts';

export interface DatabaseObservationOptions {
  readonly metrics: DatabaseMetrics;
  readonly slowQueries: SlowQueryLog;
  /** Tables that are told apart, without their schema. */
  readonly tables: Iterable<string>;
}

type Query = (...args: unknown[]) => unknown;

/** A pool as its statements see it. */
interface WatchedPool {
  readonly name: string;
  readonly plans: PlanReader;
}

/** Sees every statement on every connection of the pools it is given: counts and times it, and makes a span of it. */
export class DatabaseObservation {
  readonly #metrics: DatabaseMetrics;
  readonly #slowQueries: SlowQueryLog;
  readonly #families: StatementFamilies;

  constructor({ metrics, slowQueries, tables }: DatabaseObservationOptions) {
    this.#metrics = metrics;
    this.#slowQueries = slowQueries;
    this.#families = new StatementFamilies(tables);
  }

  /**
   * Begins to watch a pool that has no connections yet.
   *
   * @param name its label: `primary`, `replica_1`, ...
   */
  watch(pool: Pool, name: string): void {
    this.#metrics.addPool(name, pool);
    this.#watchWaits(pool, name);
    const watched = { name, plans: new PlanReader(pool) };
    pool.on('connect', (client) => this.#watchClient(client, watched));
  }

  #watchWaits(pool: Pool, name: string): void {
    const connect = pool.connect.bind(pool) as () => Promise<PoolClient>;
    const timed = async (): Promise<PoolClient> => {
      const askedAt = performance.now();
      try {
        return await connect();
      } catch (error) {
        const reason = connectFailureReason(error as Error);
        if (reason !== undefined) this.#metrics.connectionFailed(name, reason);
        throw error;
      } finally {
        this.#metrics.waited(name, (performance.now() - askedAt) / 1000);
      }
    };
    pool.connect = timed as typeof pool.connect;
  }

  #watchClient(client: PoolClient, pool: WatchedPool): void {
    let isLost = false;
    const lost = () => {
      if (!isLost) this.#metrics.connectionFailed(pool.name, 'lost');
      isLost = true;
    };
    client.on('error', lost);
    const server: ServerAddress = { host: client.host, port: client.port };
    const query = client.query.bind(client) as Query;
    client.query = ((...args: unknown[]) =>
      this.#run(query, args, pool, server, lost)) as typeof client.query;
  }

  #run(query: Query, args: unknown[], pool: WatchedPool, server: ServerAddress, lost: () => void): unknown {
    const sql = textOf(args[0]);
    const family = this.#families.of(sql);
    const span = startStatementSpan(family, sql, server);
    const startedAt = performance.now();
    const result = query(...args);
    // Who waits for the answer in another way is not known here; nobody does.
    if (!(result instanceof Promise)) {
      span?.end();
      return result;
    }
    const ended = (rows: number | undefined, sqlState: string | undefined) => {
      const durationMs = performance.now() - startedAt;
      this.#metrics.queried(family.name, durationMs / 1000);
      if (!this.#slowQueries.isSlow(durationMs)) return;
      this.#metrics.slow(family.name);
      const slow = { pool: pool.name, family: family.name, sql, durationMs, rows, sqlState };
      this.#slowQueries.report(slow, pool.plans);
    };
    result.then(
      ({ rowCount }: { rowCount: number | null }) => {
        span?.end();
        ended(rowCount ?? undefined, undefined);
      },
      (error: Error) => {
        const sqlState = sqlStateOf(error);
        endStatementSpan(span, error);
        if (isConnectionLost(error)) lost();
        this.#metrics.queryFailed(family.name, sqlState);
        ended(undefined, sqlState);
      },
    );
    return result;
  }
}

/** pg takes a text, or an object that has one. */
function textOf(query: unknown): string {
  if (typeof query === 'string') return query;
  const { text } = (query ?? {}) as { readonly text?: unknown };
  return typeof text === 'string' ? text : '';
}
