import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** The metrics of one service in a process. docs/metrics.md lists them. */
export class Metrics {
  /** What is to be told is registered here. */
  readonly registry = new Registry();

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    new Gauge({
      name: 'optix_start_time_seconds',
      help: 'When the service was started, in seconds since the epoch.',
      registers: [this.registry],
    }).set(Date.now() / 1000);
  }
}
