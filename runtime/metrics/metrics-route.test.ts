import { setTimeout as sleep } from 'node:timers/promises';
import { Counter, Gauge, Histogram } from 'prom-client';
import { describe, expect, it, test } from 'vitest';
import { collectingLogger } from '../../testing/collecting-logger.ts';
import { startEcho } from '../../testing/echo-service.ts';
import { RoutePipeline } from '../http-route-pipeline.ts';
import { InFlight } from '../in-flight.ts';
import { Metrics } from './metrics.ts';
import { metricsRoute, preferredFormat } from './metrics-route.ts';

const OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
/** What a Prometheus 2 sends. */
const SCRAPER =
  'application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';

async function serve(metrics: Metrics) {
  const { logger, entries } = collectingLogger();
  const routes = new RoutePipeline({
    ...{ domain: 'test.optix', logger, accessLog: 'off', access: undefined, inFlight: new InFlight() },
    mapError: () => undefined,
  });
  const echo = await startEcho({
    http: { guardedRoutes: { '/metrics': routes.wrap(metricsRoute(metrics)) } },
  });
  return { echo, entries };
}

describe('metrics', () => {
  it('are served in the text format of Prometheus, as they are at that moment', async () => {
    const metrics = new Metrics();
    const { registry } = metrics;
    const counter = new Counter({ name: 'optix_tests_total', help: 'Tests.', registers: [registry] });
    const { echo } = await serve(metrics);
    await using _ = echo;
    for (const count of [1, 2]) {
      counter.inc();
      const response = await fetch(`${echo.httpUrl}/metrics`);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
      expect(response.headers.get('cache-control')).toBe('no-store');
      expect(await response.text()).toContain(
        `\n# HELP optix_tests_total Tests.\n# TYPE optix_tests_total counter\noptix_tests_total ${count}\n`,
      );
    }
    expect((await fetch(`${echo.httpUrl}/metrics`, { method: 'POST' })).status).toBe(405);
    expect((await fetch(`${echo.httpUrl}/metrics`, { method: 'HEAD' })).status).toBe(200);
  });

  it('are served in OpenMetrics to who prefers it, and in the other format again after that', async () => {
    const metrics = new Metrics();
    const registers = [metrics.registry];
    new Counter({ name: 'optix_tests_total', help: 'Say "hi".', labelNames: ['of'], registers }).inc({
      of: 'a "b"\\\n',
    });
    new Histogram({ name: 'optix_t_seconds', help: 'Time.', buckets: [1], registers }).observe(2);
    const { echo } = await serve(metrics);
    await using _ = echo;
    const ask = async (accept: string) => await fetch(`${echo.httpUrl}/metrics`, { headers: { accept } });

    const response = await ask(SCRAPER);
    expect(response.headers.get('content-type')).toBe(OPENMETRICS);
    const text = await response.text();
    expect(text).toContain(
      '# HELP optix_tests Say \\"hi\\".\n# TYPE optix_tests counter\noptix_tests_total{of="a \\"b\\"\\\\\\n"} 1\n',
    );
    expect(text).toContain(
      '# TYPE optix_t_seconds histogram\noptix_t_seconds_bucket{le="1"} 0\noptix_t_seconds_bucket{le="+Inf"} 1\noptix_t_seconds_sum 2\noptix_t_seconds_count 1\n',
    );
    expect(text.endsWith('# EOF\n')).toBe(true);
    expect(text.match(/# EOF/g)).toHaveLength(1);

    const plain = await (await ask('text/plain')).text();
    expect(plain).toContain('# HELP optix_tests_total Say "hi".\n# TYPE optix_tests_total counter\n');
    expect(plain).not.toContain('# EOF');
  });

  it('are collected once for all who ask at one moment', async () => {
    const metrics = new Metrics();
    let collected = 0;
    new Gauge({
      ...{ name: 'optix_slow', help: 'Slow.', registers: [metrics.registry] },
      async collect() {
        collected += 1;
        await sleep(300);
        this.set(collected);
      },
    });
    const { echo } = await serve(metrics);
    await using _ = echo;
    const read = async () => await (await fetch(`${echo.httpUrl}/metrics`)).text();
    for (const text of await Promise.all(Array.from({ length: 20 }, read))) {
      expect(text).toContain('\noptix_slow 1\n');
    }
    expect(await read()).toContain('\noptix_slow 2\n');
  });

  it('have a value each, also where they were read just before', async () => {
    const { echo } = await serve(new Metrics());
    await using _ = echo;
    for (let read = 0; read < 5; read += 1) {
      const text = await (await fetch(`${echo.httpUrl}/metrics`)).text();
      expect(text).toContain('nodejs_eventloop_lag_p99_seconds ');
      expect(text).not.toMatch(/ (NaN|9223372036.*)$/m);
    }
  });

  it('that can not be read are an error, and told in the log alone', async () => {
    const metrics = new Metrics();
    new Gauge({
      ...{ name: 'optix_broken', help: 'Broken.', registers: [metrics.registry] },
      collect: () => {
        throw new Error('a secret');
      },
    });
    const { echo, entries } = await serve(metrics);
    await using _ = echo;
    const response = await fetch(`${echo.httpUrl}/metrics`);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('secret');
    expect(entries).toContainEqual(expect.objectContaining({ msg: 'unexpected error', rpc: 'GET /metrics' }));
  });
});

test.each([
  ['', 'prometheus'],
  ['*/*', 'prometheus'],
  ['text/plain', 'prometheus'],
  ['application/openmetrics-text', 'openmetrics'],
  ['Application/OpenMetrics-Text; version=1.0.0', 'openmetrics'],
  [SCRAPER, 'openmetrics'],
  ['text/plain, application/openmetrics-text;q=0.5', 'prometheus'],
  ['application/openmetrics-text;q=0', 'prometheus'],
  ['application/openmetrics-text;q=x', 'prometheus'],
])('who accepts "%s" gets %s', (accept, format) => {
  expect(preferredFormat(accept)).toBe(format);
});
