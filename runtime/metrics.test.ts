import { Counter, Gauge } from 'prom-client';
import { expect, test } from 'vitest';
import { startEcho } from '../testing/echo-service.ts';
import { Metrics } from './metrics.ts';

test('are served in the text format of Prometheus, as they are at that moment', async () => {
  const metrics = new Metrics();
  const { registry } = metrics;
  const counter = new Counter({ name: 'optix_tests_total', help: 'Tests.', registers: [registry] });
  await using echo = await startEcho({ http: { routes: { '/metrics': metrics.route } } });
  for (const count of [1, 2]) {
    counter.inc();
    const response = await fetch(`${echo.httpUrl}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.text()).toContain(`\noptix_tests_total ${count}\n`);
  }
  expect((await fetch(`${echo.httpUrl}/metrics`, { method: 'POST' })).status).toBe(405);
  expect((await fetch(`${echo.httpUrl}/metrics`, { method: 'HEAD' })).status).toBe(200);
});

test('one that can not be read is an error, and told in the log alone', async () => {
  const metrics = new Metrics();
  new Gauge({
    ...{ name: 'optix_broken', help: 'Broken.', registers: [metrics.registry] },
    collect: () => {
      throw new Error('a secret');
    },
  });
  await using echo = await startEcho({ http: { routes: { '/metrics': metrics.route } } });
  const response = await fetch(`${echo.httpUrl}/metrics`);
  expect(response.status).toBe(503);
  expect(await response.text()).not.toContain('secret');
  expect(echo.log).toContainEqual(expect.objectContaining({ msg: 'unexpected error', path: '/metrics' }));
});
