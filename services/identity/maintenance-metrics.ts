import { Counter, Gauge } from 'prom-client';
import type { Metrics } from '../../runtime/metrics/metrics.ts';
import type { MaintenanceStatus } from './domain/maintenance/get-maintenance-status.ts';

export interface MaintenanceMetricsOptions {
  readonly metrics: Metrics;
  /** Asked once each time the metrics are read. */
  readonly readStatus: () => Promise<MaintenanceStatus>;
  /** Told where that fails: the gauges are left out then. */
  readonly onError: (error: unknown) => void;
}

/** How far maintenance and the seals of the audit log are behind: of all replicas, as each of them tells it. */
export class MaintenanceMetrics {
  readonly #options: MaintenanceMetricsOptions;
  readonly #failures: Counter<'task'>;
  #reading: Promise<MaintenanceStatus | null> | undefined;

  constructor(options: MaintenanceMetricsOptions) {
    this.#options = options;
    this.#addGauge(
      'optix_audit_unsealed_events',
      'Events of the audit log that wait for their seal.',
      (status) => [[{}, status.unsealedEvents]],
    );
    this.#addGauge(
      'optix_audit_sealing_lag_seconds',
      'How long the oldest event that waits for its seal has waited.',
      (status) => [[{}, status.sealingLagMs / 1000]],
    );
    this.#addGauge(
      'optix_maintenance_task_lag_seconds',
      'How long a maintenance task is overdue.',
      ({ tasks }) => tasks.map(({ task, state }) => [{ task: task.name }, (state?.lagMs ?? 0) / 1000]),
    );
    this.#addGauge(
      'optix_maintenance_task_last_success_timestamp_seconds',
      'When a maintenance task last ended well.',
      ({ tasks }) =>
        tasks.flatMap(({ task, state }) =>
          state?.lastSucceededAt ? [[{ task: task.name }, state.lastSucceededAt.getTime() / 1000]] : [],
        ),
    );
    this.#failures = new Counter({
      name: 'optix_maintenance_task_failures_total',
      help: 'Runs of maintenance tasks that failed on this replica.',
      labelNames: ['task'],
      registers: [options.metrics.registry],
    });
  }

  /** Counts a run that failed. */
  failed(task: string): void {
    this.#failures.inc({ task });
  }

  #addGauge(
    name: string,
    help: string,
    valuesOf: (status: MaintenanceStatus) => readonly [labels: { task?: string }, value: number][],
  ): void {
    const read = () => this.#read();
    new Gauge({
      name,
      help,
      // Also of those that set none: a gauge that has none is reset to 0, and not to nothing.
      labelNames: ['task'],
      registers: [this.#options.metrics.registry],
      async collect() {
        const status = await read();
        this.reset();
        for (const [labels, value] of status === null ? [] : valuesOf(status)) this.set(labels, value);
      },
    });
  }

  /** The gauges of one answer share one reading. */
  #read(): Promise<MaintenanceStatus | null> {
    this.#reading ??= this.#options
      .readStatus()
      .catch((error: unknown) => {
        this.#options.onError(error);
        return null;
      })
      .finally(() => {
        this.#reading = undefined;
      });
    return this.#reading;
  }
}
