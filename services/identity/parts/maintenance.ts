import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Logger } from '../../../runtime/logger.ts';
import type { Metrics } from '../../../runtime/metrics/metrics.ts';
import type { SettingValues } from '../../../runtime/settings.ts';
import type { Sealing } from '../domain/audit/sealing-lag.ts';
import { getMaintenanceStatus } from '../domain/maintenance/get-maintenance-status.ts';
import type { MaintenanceDeps } from '../domain/maintenance/maintenance-deps.ts';
import { MaintenanceScheduler } from '../domain/maintenance/scheduler.ts';
import { type MaintenanceTaskDeps, maintenanceTasks } from '../domain/maintenance/tasks/maintenance-tasks.ts';
import { MaintenanceMetrics } from '../metrics/maintenance-metrics.ts';
import type { maintenanceSettings } from '../settings/maintenance-settings.ts';
import { ExpiredRowRepository } from '../storage/maintenance-expired-rows.ts';
import { PartitionRepository } from '../storage/maintenance-partitions.ts';
import { MaintenanceRepository } from '../storage/maintenance-repository.ts';
import { StatisticsRepository } from '../storage/maintenance-statistics.ts';
import { ArchivedUserRepository } from '../storage/users/user-archive.ts';

/** What the tasks take of the rest of the service. */
export type SharedDeps = Pick<
  MaintenanceTaskDeps,
  'unitOfWork' | 'now' | 'oneTimeTokens' | 'networkLocks' | 'outgoingMails' | 'secretRekeying'
>;

/** Starts the maintenance, which one replica at a time does. */
export function startMaintenance(
  config: SettingValues<typeof maintenanceSettings>,
  parts: {
    readonly em: EntityManager;
    readonly sealing: Sealing;
    readonly metrics: Metrics;
    readonly shared: SharedDeps;
  },
  resources: AsyncDisposableStack,
  logger: Logger,
): MaintenanceDeps {
  const { em, sealing, metrics, shared } = parts;
  const tasks = maintenanceTasks({
    ...shared,
    partitions: new PartitionRepository(em),
    statistics: new StatisticsRepository(em),
    expiredRows: new ExpiredRowRepository(em),
    archivedUsers: new ArchivedUserRepository(em),
    archiveAfterDays: config.deletedUserArchiveDays,
    retention: { auditDays: config.auditRetentionDays, sessionDays: config.sessionRetentionDays },
  });
  const store = new MaintenanceRepository(em);
  const deps: MaintenanceDeps = { store, tasks, sealing };
  const told = new MaintenanceMetrics({
    metrics,
    tasks: tasks.map(({ name }) => name),
    readStatus: async () => await getMaintenanceStatus(deps),
    onError: (error) => logger.warn({ err: error }, 'the metrics of maintenance could not be read'),
  });
  resources.use(
    new MaintenanceScheduler({
      store,
      tasks,
      holder: `${hostname()}/${randomUUID()}`,
      onRun: (task, count) => logger.info({ task, count }, 'maintenance'),
      onTaskFailed: (task, error) => {
        told.failed(task);
        logger.warn({ task, err: error }, 'a maintenance task failed');
      },
      onError: (error) => logger.warn({ err: error }, 'maintenance waits for the database'),
    }),
  );
  return deps;
}
