import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** What has no value, or 292 years, where nothing was measured since the scrape before: some milliseconds ago, say. */
const WITHOUT_VALUE = ['min', 'mean', 'stddev'].map((name) => `nodejs_eventloop_lag_${name}_seconds`);

/** The metrics of one service in a process. docs/metrics.md lists them. */
export class Metrics {
  /** What is to be told is registered here. */
  readonly registry = new Registry();

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    for (const name of WITHOUT_VALUE) this.registry.removeSingleMetric(name);
    new Gauge({
      name: 'optix_start_time_seconds',
      help: 'When the service was started, in seconds since the epoch.',
      registers: [this.registry],
    }).set(Date.now() / 1000);
  }
}
