import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Health } from './health.ts';
import { ProbeFailure, StoreMonitor, type StoreStatus } from './store-monitor.ts';

describe('StoreMonitor', () => {
  it('tells each change once, and how long the store takes to answer', async () => {
    let alive = true;
    const changes: boolean[] = [];
    await using monitor = new StoreMonitor({
      name: 'redis',
      intervalMs: 5,
      maxBackoffMs: 5,
      probe: async () => {
        if (!alive) throw new Error('gone');
        await sleep(2);
      },
      onChange: ({ up }: StoreStatus) => changes.push(up),
    });
    await expect.poll(() => monitor.status.up).toBe(true);
    expect(monitor.status.latencyMs).toBeGreaterThan(1);
    alive = false;
    await expect.poll(() => monitor.status.up).toBe(false);
    await sleep(50);
    alive = true;
    await expect.poll(() => monitor.status.up).toBe(true);
    await sleep(50);
    expect(changes).toEqual([true, false, true]);
  });

  it('takes a probe that hangs for a failure', async () => {
    await using monitor = new StoreMonitor({
      name: 'redis',
      timeoutMs: 20,
      probe: async () => await new Promise(() => undefined),
    });
    await expect.poll(() => monitor.status.error).toBe('no answer within 20 ms');
  });

  it('retries with a growing pause while the store is away', async () => {
    let probes = 0;
    await using _monitor = new StoreMonitor({
      name: 'redis',
      maxBackoffMs: 10_000,
      probe: async () => {
        probes += 1;
        throw new Error('away');
      },
    });
    await sleep(1000);
    // After 100, 300 and 700 ms; the next would be at 1500.
    expect(probes).toBeGreaterThanOrEqual(2);
    expect(probes).toBeLessThanOrEqual(4);
  });
});

describe('what health shows of a failure', () => {
  it.each([
    [
      Object.assign(new Error('connect ECONNREFUSED 10.1.2.3:5432'), { code: 'ECONNREFUSED' }),
      'ECONNREFUSED',
    ],
    [new ProbeFailure('2 migrations are pending'), '2 migrations are pending'],
    [new Error('password authentication failed for user "ada"'), 'failed'],
  ])('%s', async (failure, shown) => {
    await using monitor = new StoreMonitor({
      name: 'database',
      probe: async () => {
        throw failure;
      },
    });
    await expect.poll(() => monitor.status.error).toBe(failure.message);
    const health = new Health([], [monitor]);
    expect(health.component('database')).toMatchObject({ ok: false, body: { error: shown } });
    expect(JSON.stringify(health.overall().body)).not.toMatch(/10\.1\.2\.3|ada/);
  });
});
