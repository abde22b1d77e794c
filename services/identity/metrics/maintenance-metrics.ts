import { Counter } from 'prom-client';
import type { Metrics } from '../../../runtime/metrics/metrics.ts';
import type { MaintenanceStatus } from '../domain/maintenance/get-maintenance-status.ts';
import { ScrapedGauges } from './scraped-gauges.ts';

export interface MaintenanceMetricsOptions {
  readonly metrics: Metrics;
  /** Names of all tasks. */
  readonly tasks: readonly string[];
  /** Asked at a scrape. */
  readonly readStatus: () => Promise<MaintenanceStatus>;
  /** Told where that fails or takes too long: the gauges are left out then. */
  readonly onError: (error: unknown) => void;
}

/** How far maintenance and the seals of the audit log are behind: of all replicas, as each of them tells it. */
export class MaintenanceMetrics {
  readonly #failures: Counter<'task'>;

  constructor({ metrics, tasks, readStatus, onError }: MaintenanceMetricsOptions) {
    const gauges = new ScrapedGauges({ metrics, read: readStatus, onError });
    gauges.add({
      name: 'optix_audit_unsealed_events',
      help: 'Events of the audit log that wait for their seal.',
      valuesOf: ({ unsealedEvents }) => [[{}, unsealedEvents]],
    });
    gauges.add({
      name: 'optix_audit_sealing_lag_seconds',
      help: 'How long the oldest event that waits for its seal has waited.',
      valuesOf: ({ sealingLagMs }) => [[{}, sealingLagMs / 1000]],
    });
    gauges.add({
      name: 'optix_maintenance_task_lag_seconds',
      help: 'How long a maintenance task is overdue.',
      labelNames: ['task'],
      valuesOf: (status) =>
        status.tasks.map(({ task, state }) => [{ task: task.name }, (state?.lagMs ?? 0) / 1000]),
    });
    gauges.add({
      name: 'optix_maintenance_task_last_success_timestamp_seconds',
      help: 'When a maintenance task last ended well.',
      labelNames: ['task'],
      valuesOf: (status) =>
        status.tasks.flatMap(({ task, state }) =>
          state?.lastSucceededAt
            ? [[{ task: task.name }, state.lastSucceededAt.getTime() / 1000] as const]
            : [],
        ),
    });
    this.#failures = new Counter({
      name: 'optix_maintenance_task_failures_total',
      help: 'Runs of maintenance tasks that failed on this replica.',
      labelNames: ['task'],
      registers: [metrics.registry],
    });
    for (const task of tasks) this.#failures.inc({ task }, 0);
  }

  /** Counts a run that failed. */
  failed(task: string): void {
    this.#failures.inc({ task });
  }
}
