import { setTimeout as sleep } from 'node:timers/promises';
import { Counter } from 'prom-client';
import { expect, test } from 'vitest';
import { Metrics } from '../../../runtime/metrics/metrics.ts';
import { ScrapedGauges } from './scraped-gauges.ts';

/** Two gauges of one reading, of which each test says how it goes. */
function open(timeoutMs = 750) {
  const metrics = new Metrics();
  const store = {
    reads: 0,
    errors: [] as unknown[],
    read: async (): Promise<number> => 1,
  };
  const gauges = new ScrapedGauges({
    metrics,
    timeoutMs,
    read: async () => {
      store.reads += 1;
      return await store.read();
    },
    onError: (error) => store.errors.push(error),
  });
  gauges.add({ name: 'plain', help: 'x', valuesOf: (value) => [[{}, value]] });
  gauges.add({
    name: 'labelled',
    help: 'x',
    labelNames: ['of'],
    valuesOf: (value) => [[{ of: `${value}` }, value]],
  });
  new Counter({ name: 'other', help: 'x', registers: [metrics.registry] }).inc();
  const scrape = async () =>
    (await metrics.registry.metrics()).split('\n').filter((line) => /^(plain|labelled|other)/.test(line));
  return { store, scrape };
}

test('scrapes of one moment share a reading; the next one reads again, and forgets what is gone', async () => {
  const { store, scrape } = open();
  store.read = async () => await sleep(20, 1);
  const all = ['plain 1', 'labelled{of="1"} 1', 'other 1'];
  expect(await Promise.all([scrape(), scrape(), scrape()])).toEqual([all, all, all]);
  expect(store.reads).toBe(1);
  store.read = async () => 2;
  expect(await scrape()).toEqual(['plain 2', 'labelled{of="2"} 2', 'other 1']);
  expect(store.reads).toBe(2);
});

test('what can not be read is left out, rather than be wrong, and told once until it can be read again', async () => {
  const { store, scrape } = open();
  await scrape();
  store.read = async () => await Promise.reject(new Error('away'));
  for (const _ of [1, 2]) expect(await scrape()).toEqual(['other 1']);
  expect(store.errors).toEqual([new Error('away')]);
  store.read = async () => 3;
  expect(await scrape()).toEqual(['plain 3', 'labelled{of="3"} 3', 'other 1']);
  store.read = async () => await Promise.reject(new Error('away again'));
  await scrape();
  expect(store.errors).toEqual([new Error('away'), new Error('away again')]);
});

test('a reading that hangs is waited for once, and no other is begun beside it', async () => {
  const { store, scrape } = open(100);
  const hanging = Promise.withResolvers<number>();
  store.read = async () => await hanging.promise;
  const startedAt = performance.now();
  expect(await scrape()).toEqual(['other 1']);
  const firstMs = performance.now() - startedAt;
  expect(await scrape()).toEqual(['other 1']);
  const secondMs = performance.now() - startedAt - firstMs;
  expect(firstMs).toBeGreaterThan(95);
  expect(secondMs).toBeLessThan(firstMs / 2);
  expect(store.reads).toBe(1);
  expect(store.errors).toEqual([new Error('there was no answer within 100 ms')]);

  // Its end, good or bad, makes way for the next.
  hanging.reject(new Error('given up'));
  await sleep(0);
  store.read = async () => 4;
  expect(await scrape()).toEqual(['plain 4', 'labelled{of="4"} 4', 'other 1']);
});
