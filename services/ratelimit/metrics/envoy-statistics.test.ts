import { expect, it } from 'vitest';
import { Metrics } from '../../../runtime/metrics/metrics.ts';
import { descriptorOf } from '../domain/envoy/testing-descriptors.ts';
import { asking, EnvoyWorld } from '../domain/envoy/testing-should-limit.ts';
import { EnvoyStatistics } from './envoy-statistics.ts';

const limits = (requestsPerUnit: number) => ({ rateLimit: { unit: 'MINUTE', requestsPerUnit } });

/** Values of one counter by key. */
async function values(metrics: Metrics, name: string): Promise<Record<string, number>> {
  const metric = await metrics.registry.getSingleMetric(`ratelimit_service_rate_limit_${name}`)?.get();
  return Object.fromEntries(metric?.values.map(({ labels, value }) => [labels['key'], value]) ?? []);
}

it('counts hits near the limit from 80 % of it on', async () => {
  const metrics = new Metrics();
  const statistics = new EnvoyStatistics(metrics);
  const world = new EnvoyWorld([descriptorOf('ip', limits(10))], { statistics });
  for (const hits of [7, 2, 1, 1]) await world.ask(asking('ip=1', { hits }));
  expect(await values(metrics, 'near_limit')).toEqual({ 'edge.ip': 2 });
  expect(await values(metrics, 'within_limit')).toEqual({ 'edge.ip': 10 });
  expect(await values(metrics, 'over_limit')).toEqual({ 'edge.ip': 1 });
});

it('keeps 1,000 keys with what requests bring, then counts by limit', async () => {
  const metrics = new Metrics();
  const statistics = new EnvoyStatistics(metrics);
  const world = new EnvoyWorld([descriptorOf('ip', { ...limits(10), detailedMetric: true })], { statistics });
  for (let ip = 0; ip < 1_003; ip += 1) await world.ask(asking(`ip=${ip}`));
  const hits = await values(metrics, 'total_hits');
  expect(Object.keys(hits)).toHaveLength(1_001);
  expect(hits).toMatchObject({ 'edge.ip_0': 1, 'edge.ip_999': 1, 'edge.ip': 3 });
});

it('keeps as many keys of limits, then counts all others together', async () => {
  const metrics = new Metrics();
  const statistics = new EnvoyStatistics(metrics);
  const many = Array.from({ length: 2_002 }, (_, key) => descriptorOf(`k${key}`, limits(1)));
  const world = new EnvoyWorld(many, { statistics });
  for (let key = 0; key < 2_002; key += 1) await world.ask(asking(`k${key}=x`));
  const hits = await values(metrics, 'total_hits');
  expect(Object.keys(hits)).toHaveLength(2_001);
  expect(hits).toMatchObject({ other: 2 });
});

it('counts a key of more than 512 characters by limit, and writes any characters so that they can be read', async () => {
  const metrics = new Metrics();
  const statistics = new EnvoyStatistics(metrics);
  const world = new EnvoyWorld([descriptorOf('ip', { ...limits(10), detailedMetric: true })], { statistics });
  await world.ask(asking(`ip=${'x'.repeat(4_000)}`));
  await world.ask(asking('ip="\n\\\u0000{}'));
  expect(Object.keys(await values(metrics, 'total_hits'))).toEqual(['edge.ip', 'edge.ip_"\n\\\u0000{}']);
  const lines = (await metrics.registry.metrics()).split('\n').filter((line) => line.includes('total_hits{'));
  expect(lines).toHaveLength(2);
  expect(lines[1]).toContain('key="edge.ip_\\"\\n\\\\\u0000{}"');
});
