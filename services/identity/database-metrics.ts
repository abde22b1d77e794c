import { Counter, Gauge, Histogram } from 'prom-client';
import type { Metrics } from '../../runtime/metrics/metrics.ts';
import { SECONDS } from '../../runtime/metrics/plain-histogram.ts';
import type { ConnectionErrorReason } from './storage/observation/connection-failure.ts';

/** What a pool tells of itself, as pg's does. */
export interface PoolFigures {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
  readonly options: { readonly max: number };
}

const REASONS: readonly ConnectionErrorReason[] = ['timeout', 'refused', 'lost'];

/** How PostgreSQL is used and answers: its pools, and its statements by family. */
export class DatabaseMetrics {
  readonly #pools = new Map<string, PoolFigures>();
  readonly #waits: Histogram<'pool'>;
  readonly #connectionErrors: Counter<'pool' | 'reason'>;
  readonly #durations: Histogram<'family'>;
  readonly #errors: Counter<'family' | 'sqlstate'>;
  readonly #slow: Counter<'family'>;

  constructor({ registry }: Metrics) {
    const registers = [registry];
    this.#addPoolGauges(registers);
    this.#waits = new Histogram({
      name: 'optix_database_pool_wait_seconds',
      help: 'How long calls waited for a connection.',
      labelNames: ['pool'],
      buckets: SECONDS,
      registers,
    });
    this.#connectionErrors = new Counter({
      name: 'optix_database_connection_errors_total',
      help: 'Connections that were not had in time, could not be opened, or broke while open.',
      labelNames: ['pool', 'reason'],
      registers,
    });
    this.#durations = new Histogram({
      name: 'optix_database_query_duration_seconds',
      help: 'Time of statements by family: the verb and the first table.',
      labelNames: ['family'],
      buckets: SECONDS,
      registers,
    });
    this.#errors = new Counter({
      name: 'optix_database_query_errors_total',
      help: "Statements that failed, by the class of SQLSTATE; `none` where the answer was not the server's.",
      labelNames: ['family', 'sqlstate'],
      registers,
    });
    this.#slow = new Counter({
      name: 'optix_database_slow_queries_total',
      help: 'Statements that took as long as DATABASE_SLOW_QUERY_MS, or longer.',
      labelNames: ['family'],
      registers,
    });
  }

  /** @param name the label: `primary`, `replica_1`, ... */
  addPool(name: string, pool: PoolFigures): void {
    this.#pools.set(name, pool);
    this.#waits.zero({ pool: name });
    // From zero on, for the first error to be a change.
    for (const reason of REASONS) this.#connectionErrors.inc({ pool: name, reason }, 0);
  }

  /** A call has a connection, or was told that it gets none. */
  waited(pool: string, seconds: number): void {
    this.#waits.observe({ pool }, seconds);
  }

  connectionFailed(pool: string, reason: ConnectionErrorReason): void {
    this.#connectionErrors.inc({ pool, reason });
  }

  /** A statement has ended, well or not. */
  queried(family: string, seconds: number): void {
    this.#durations.observe({ family }, seconds);
  }

  /** @param sqlState undefined: the failure is not the server's answer */
  queryFailed(family: string, sqlState: string | undefined): void {
    this.#errors.inc({ family, sqlstate: sqlState?.slice(0, 2) ?? 'none' });
  }

  slow(family: string): void {
    this.#slow.inc({ family });
  }

  #addPoolGauges(registers: Metrics['registry'][]): void {
    const pools = this.#pools;
    new Gauge({
      name: 'optix_database_pool_connections',
      help: 'Connections of a pool that are idle or in use.',
      labelNames: ['pool', 'state'],
      registers,
      collect() {
        for (const [pool, { totalCount, idleCount }] of pools) {
          this.set({ pool, state: 'idle' }, idleCount);
          this.set({ pool, state: 'use' }, totalCount - idleCount);
        }
      },
    });
    new Gauge({
      name: 'optix_database_pool_max_connections',
      help: 'How many connections a pool may open.',
      labelNames: ['pool'],
      registers,
      collect() {
        for (const [pool, { options }] of pools) this.set({ pool }, options.max);
      },
    });
    new Gauge({
      name: 'optix_database_pool_waiting',
      help: 'Calls that wait for a connection.',
      labelNames: ['pool'],
      registers,
      collect() {
        for (const [pool, { waitingCount }] of pools) this.set({ pool }, waitingCount);
      },
    });
  }
}
