import { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';
import { Metrics } from '../../../../runtime/metrics/metrics.ts';
import { collectingLogger, type LogEntry } from '../../../../testing/collecting-logger.ts';
import { DatabaseMetrics } from '../../database-metrics.ts';
import { type DatabaseSettings, ormOptions } from '../mikro-orm.config.ts';
import { DatabaseObservation } from './database-observation.ts';
import { SlowQueryLog } from './slow-query-log.ts';

/** MikroORM with its pool observed as the service's, and what is told of it. */
export interface ObservedOrm extends AsyncDisposable {
  readonly orm: MikroORM;
  readonly observation: DatabaseObservation;
  readonly slowQueries: SlowQueryLog;
  readonly entries: readonly LogEntry[];
  /** Lines of the log with this message. */
  logged(message: string): readonly LogEntry[];
  /** The value of a metric, written as in an answer to a scrape: `name{label="value"}`. */
  metric(sample: string): Promise<number | undefined>;
  /** All samples whose lines begin so. */
  samples(start: string): Promise<readonly string[]>;
}

/** Slow is what takes 100 ms, and no plans are read, unless the options say otherwise. */
export async function openObservedOrm(
  settings: DatabaseSettings,
  slow: { readonly thresholdMs?: number; readonly plans?: boolean } = {},
): Promise<ObservedOrm> {
  const { logger, entries } = collectingLogger();
  const metrics = new Metrics();
  const slowQueries = new SlowQueryLog({ logger, thresholdMs: 100, plans: false, ...slow });
  const orm = await MikroORM.init(
    ormOptions({ ...settings, onPoolCreated: (pool: Pool) => observation.watch(pool, 'primary') }),
  );
  const tables = [...orm.getMetadata()].map(({ tableName }) => tableName);
  const observation = new DatabaseObservation({ metrics: new DatabaseMetrics(metrics), slowQueries, tables });
  const samples = async (start: string) =>
    (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith(start));
  return {
    ...{ orm, observation, slowQueries, entries, samples },
    logged: (message) => entries.filter(({ msg }) => msg === message),
    async metric(sample) {
      const [line] = await samples(`${sample} `);
      return line === undefined ? undefined : Number(line.slice(sample.length + 1));
    },
    [Symbol.asyncDispose]: async () => await orm.close(),
  };
}
