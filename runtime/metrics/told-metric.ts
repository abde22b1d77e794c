import type { Metric } from 'prom-client';
import type { Metrics } from './metrics.ts';

/** One line of a metric. */
export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Default: the metric's name. Those of a histogram end in `_bucket`, `_sum` and `_count`. */
  readonly metricName?: string;
}

export interface ToldMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** The values as they are now; asked at each scrape. */
  readonly samples: () => Iterable<Sample> | Promise<Iterable<Sample>>;
}

/**
 * Registers a metric whose values are kept elsewhere, as plain numbers. prom-client's own counters and histograms find
 * the number to change by its labels, each time: about a microsecond, which is much on the way of a check.
 */
export function tell({ registry }: Metrics, { name, help, type, samples }: ToldMetric): void {
  const metric = {
    name,
    get: async () => ({ name, help, type, aggregator: 'sum', values: [...(await samples())] }),
  };
  // All that a registry asks of a metric; prom-client's type is the union of its own classes.
  registry.registerMetric(metric as unknown as Metric);
}
