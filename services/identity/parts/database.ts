import { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';
import type { Logger } from '../../../runtime/logger.ts';
import type { Metrics } from '../../../runtime/metrics/metrics.ts';
import { StoreMonitor } from '../../../runtime/store-monitor.ts';
import type { IdentityConfig } from '../config.ts';
import { DatabaseMetrics } from '../database-metrics.ts';
import { closeOrm } from '../storage/close-orm.ts';
import { DatabaseProbe } from '../storage/database-probe.ts';
import { type DatabaseSettings, ormOptions } from '../storage/mikro-orm.config.ts';
import { DatabaseObservation } from '../storage/observation/database-observation.ts';
import { SlowQueryLog } from '../storage/observation/slow-query-log.ts';
import { openReadReplicas } from '../storage/read-replicas.ts';
import { ReadRouter } from '../storage/read-router.ts';

/** How long the end of the process may wait for database connections to close. */
const CLOSE_TIMEOUT_MS = 3000;

/** PostgreSQL, as the rest of the service uses it. */
export interface Database {
  readonly orm: MikroORM;
  /** Gives lists and exports a replica that is up to date, where there is one. */
  readonly reads: ReadRouter;
  readonly monitor: StoreMonitor;
  /** Which statements are logged: may change at any time. */
  readonly slowQueries: SlowQueryLog;
}

/** Makes the pools. Opens no connection that the start would have to wait for. */
export async function openDatabase(
  config: IdentityConfig,
  metrics: Metrics,
  resources: AsyncDisposableStack,
  logger: Logger,
): Promise<Database> {
  let pool: Pool | undefined;
  const settings: Omit<DatabaseSettings, 'databaseUrl'> = {
    poolSize: config.databasePoolSize,
    maxOverflow: config.databaseMaxOverflow,
    recycleSeconds: config.databaseRecycleSeconds,
    connectTimeoutMs: config.databaseConnectTimeoutMs,
    statementTimeoutMs: config.databaseStatementTimeoutMs,
    lockTimeoutMs: config.databaseLockTimeoutMs,
    onConnectionLost: () => logger.debug('an idle database connection was lost'),
  };
  const orm = await MikroORM.init(
    ormOptions({
      ...settings,
      databaseUrl: config.databaseUrl,
      onPoolCreated: (created) => {
        pool = created;
        observation.watch(created, 'primary');
      },
    }),
  );
  const slowQueries = new SlowQueryLog({
    logger,
    thresholdMs: config.databaseSlowQueryMs,
    plans: config.databaseSlowQueryPlans,
  });
  // Before any pool: these are made with their first query.
  const observation = new DatabaseObservation({
    metrics: new DatabaseMetrics(metrics),
    slowQueries,
    tables: [...orm.getMetadata()].map(({ tableName }) => tableName),
  });
  resources.defer(async () => {
    if (await closeOrm(orm, CLOSE_TIMEOUT_MS)) return;
    logger.warn({ timeout_ms: CLOSE_TIMEOUT_MS }, 'database connections did not close in time');
  });
  const { replicas } = resources.use(
    await openReadReplicas(config.databaseReplicaUrls ?? [], settings, (created, place) =>
      observation.watch(created, `replica_${place + 1}`),
    ),
  );
  const reads = new ReadRouter({
    primary: orm.em,
    replicas,
    onLeftAlone: (replica, reason) => logger.warn({ replica, reason }, 'a read replica is left alone'),
  });
  const probe = resources.use(new DatabaseProbe(orm, config.databaseUrl));
  const monitor = resources.use(
    new StoreMonitor({
      name: 'database',
      probe: async (signal) => await probe.probe(signal),
      facts: () => ({
        pool: {
          open: pool?.totalCount ?? 0,
          idle: pool?.idleCount ?? 0,
          waiting: pool?.waitingCount ?? 0,
        },
      }),
      onChange: ({ up, error }) => {
        if (up) logger.info('the database is there');
        else logger.error({ reason: error }, 'the database is away');
      },
    }),
  );
  return { orm, reads, monitor, slowQueries };
}
