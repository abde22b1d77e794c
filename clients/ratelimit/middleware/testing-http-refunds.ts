import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { HttpBench, TestApp } from './testing-http-bench.ts';
import { atOneTime, perMinute } from './testing-middleware.ts';

/** What HTTP middleware gives back when a request is over. */
export function refundsSpec(bench: HttpBench): void {
  describe('gives back', () => {
    it('what requests took that are answered with a chosen status', async () => {
      const endpoint = await bench.limits.rule(perMinute(2));
      const { get } = await bench.start({ endpoint, refundOn: (status) => status >= 500 });
      await get('/ok');
      for (let sent = 0; sent < 3; sent += 1) {
        expect((await get('/fail')).status).toBe(500);
        await expect.poll(() => bench.remainingOf(endpoint)).toBe(1);
      }
    });

    it('nothing to a caller that leaves before the answer', async () => {
      const endpoint = await bench.limits.rule(perMinute(2));
      const app = await bench.start({ endpoint, refundOn: () => true });
      await leave(app);
      expect((await app.get('/ok')).status).toBe(200);
      await expect.poll(() => bench.remainingOf(endpoint)).toBe(1);
      await sleep(100);
      expect(await bench.remainingOf(endpoint)).toBe(1);
    });

    it('the lease of a request when its answer has ended, and not before', async () => {
      const endpoint = await bench.limits.rule(atOneTime(1));
      const { get, release } = await bench.start({ endpoint });
      const held = await get('/hold');
      expect(held.status).toBe(200);
      expect((await get('/ok')).status).toBe(429);
      release();
      expect(await held.text()).toBe('begun, done');
      await expect.poll(() => bench.remainingOf(endpoint)).toBe(1);
      expect((await get('/ok')).status).toBe(200);
    });

    it('the lease of a caller that leaves', async () => {
      const endpoint = await bench.limits.rule(atOneTime(1));
      await leave(await bench.start({ endpoint }));
      await expect.poll(() => bench.remainingOf(endpoint)).toBe(1);
    });

    it('and tells where that failed', async () => {
      const failed = Promise.withResolvers<unknown>();
      const { limiter } = bench.limits;
      const lost = new Error('the way back is lost');
      const { get } = await bench.start({
        endpoint: await bench.limits.rule(perMinute(1)),
        limiter: { check: (check) => limiter.check(check), refund: () => Promise.reject(lost) },
        refundOn: () => true,
        onRefundError: failed.resolve,
      });
      expect((await get('/ok')).status).toBe(200);
      expect(await failed.promise).toBe(lost);
    });
  });
}

/** Asks for an answer that does not end, and goes away. */
async function leave({ get, handled }: TestApp): Promise<void> {
  const controller = new AbortController();
  const left = get('/hold', {}, { signal: controller.signal });
  await expect.poll(handled).toBe(1);
  await left;
  controller.abort();
}
