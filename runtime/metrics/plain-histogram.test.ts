import { Histogram } from 'prom-client';
import { expect, it } from 'vitest';
import { exposition } from './exposition.ts';
import { Metrics } from './metrics.ts';
import { PlainHistogram } from './plain-histogram.ts';
import { tell } from './told-metric.ts';

const name = 'optix_t_seconds';
const help = 'Time.';
const BOUNDS = [0.5, 1, 2.5];
const VALUES = [0, 0.5, 0.50001, 1, 2.5, 2.6, 1e9];

it.each(['prometheus', 'openmetrics'] as const)(
  'is written as one of prom-client is, as %s',
  async (format) => {
    const told = new Metrics();
    const plain = new PlainHistogram(BOUNDS);
    tell(told, { name, help, type: 'histogram', samples: () => plain.samples(name) });
    const own = new Metrics();
    const histogram = new Histogram({ name, help, buckets: BOUNDS, registers: [own.registry] });
    for (const value of VALUES) {
      plain.observe(value);
      histogram.observe(value);
    }
    const lines = async (metrics: Metrics) =>
      (await exposition(metrics.registry, format)).split('\n').filter((line) => line.includes(name));
    expect(await lines(told)).toEqual(await lines(own));
    expect(await lines(told)).toContain(`${name}_bucket{le="+Inf"} 7`);
  },
);

it('has the labels that it is told with', () => {
  const plain = new PlainHistogram([1]);
  plain.observe(3);
  expect(plain.samples('t', { of: 'a' })).toEqual([
    { metricName: 't_bucket', labels: { of: 'a', le: 1 }, value: 0 },
    { metricName: 't_bucket', labels: { of: 'a', le: '+Inf' }, value: 1 },
    { metricName: 't_sum', labels: { of: 'a' }, value: 3 },
    { metricName: 't_count', labels: { of: 'a' }, value: 1 },
  ]);
});
