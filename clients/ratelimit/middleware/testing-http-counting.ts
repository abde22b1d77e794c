import { describe, expect, it } from 'vitest';
import { byHeader, byIp, firstOf } from './keys.ts';
import { type HttpBench, headersOf, key } from './testing-http-bench.ts';
import { perMinute } from './testing-middleware.ts';

/** What HTTP middleware counts. */
export function countingSpec(bench: HttpBench): void {
  describe('counts', () => {
    it('users apart, and addresses where there is no user', async () => {
      const endpoint = await bench.limits.rule(perMinute(1));
      const { get } = await bench.start({ endpoint, key: firstOf(key, byIp()) });
      const status = async (user: string) => (await get('/ok', { 'x-user': user })).status;
      expect(await status('ada')).toBe(200);
      expect(await status('grace')).toBe(200);
      expect(await status('')).toBe(200);
      expect([await status('ada'), await status('grace'), await status('')]).toEqual([429, 429, 429]);
      const { limiter } = bench.limits;
      for (const identifier of ['user:ada', 'user:grace', 'ip:127.0.0.1']) {
        expect((await limiter.peek({ endpoint, identifier })).decision?.remaining).toBe(0);
      }
    });

    it('the address that a trusted proxy names', async () => {
      const trusting = byIp({ trustedProxies: ['127.0.0.1'] });
      const { get } = await bench.start({ endpoint: await bench.limits.rule(perMinute(1)), key: trusting });
      const status = async (address: string) => (await get('/ok', { 'x-forwarded-for': address })).status;
      expect(await status('6.6.6.6, 198.51.100.1')).toBe(200);
      expect(await status('7.7.7.7, 198.51.100.1')).toBe(429);
      expect(await status('198.51.100.2')).toBe(200);
      expect(await status('2001:db8:0:1::1')).toBe(200);
      expect(await status('2001:db8:0:1:ffff::2')).toBe(429);
      expect(await status('2001:db8:0:2::1')).toBe(200);
    });

    it('the peer, whatever it claims, where no proxy is trusted', async () => {
      const { get } = await bench.start({ endpoint: await bench.limits.rule(perMinute(1)), key: byIp() });
      expect((await get('/ok', { 'x-forwarded-for': '198.51.100.1' })).status).toBe(200);
      expect((await get('/ok', { 'x-forwarded-for': '198.51.100.2' })).status).toBe(429);
    });

    it('several keys together, all or nothing', async () => {
      const [endpoint, shared] = [
        await bench.limits.rule(perMinute(10)),
        await bench.limits.rule(perMinute(2)),
      ];
      const also = [{ key: byIp(), endpoint: shared }];
      const { get } = await bench.start({ endpoint, also });
      const remaining = async (user: string) => {
        const response = await get('/ok', { 'x-user': user });
        return [response.status, response.headers.get('x-ratelimit-remaining')];
      };
      expect(await remaining('ada')).toEqual([200, '1']);
      expect(await remaining('grace')).toEqual([200, '0']);
      expect(await remaining('ada')).toEqual([429, '0']);
      const { decision } = await bench.limits.limiter.peek({ endpoint, identifier: 'user:ada' });
      expect(decision?.remaining).toBe(9);
      // The address alone counts where there is no user.
      expect(await remaining('')).toEqual([429, '0']);
    });

    it('by the cost of a request, and denies what never fits', async () => {
      const cost = (_: unknown, facts: { header(name: string): string | undefined }) =>
        Number(facts.header('x-cost'));
      const { get } = await bench.start({ endpoint: await bench.limits.rule(perMinute(5)), cost });
      const answer = async (units: number) => {
        const response = await get('/ok', { 'x-cost': String(units) });
        return [response.status, response.headers.get('x-ratelimit-remaining')];
      };
      expect(await answer(3)).toEqual([200, '2']);
      expect(await answer(3)).toEqual([429, '2']);
      const tooMuch = await get('/ok', { 'x-cost': '6' });
      expect([tooMuch.status, tooMuch.headers.get('retry-after')]).toEqual([429, null]);
      expect(await tooMuch.json()).toMatchObject({
        detail: 'The request takes more than its limit ever allows.',
      });
      // No cost at all: those who come with it are not handled, and nobody else notices.
      for (const broken of [-1, 1.5, Number.NaN]) expect((await answer(broken))[0]).toBe(500);
      expect(await answer(2)).toEqual([200, '0']);
    });

    it('by an endpoint for each request', async () => {
      const [reads, writes] = [await bench.limits.rule(perMinute(2)), await bench.limits.rule(perMinute(1))];
      const { get } = await bench.start({
        endpoint: (_, { method, path }) => (path === '/fail' ? undefined : method === 'GET' ? reads : writes),
      });
      const limitOf = async (path: string, method: string) =>
        (await get(path, {}, { method })).headers.get('x-ratelimit-limit');
      expect(await limitOf('/ok?page=2', 'GET')).toBe('2');
      expect(await limitOf('/ok', 'POST')).toBe('1');
      expect(await limitOf('/fail', 'GET')).toBeNull();
    });
  });

  describe('leaves unlimited', () => {
    it('requests that are skipped', async () => {
      const endpoint = await bench.limits.rule(perMinute(1));
      const { get } = await bench.start({ endpoint, skip: (_, { header }) => header('x-probe') === 'yes' });
      for (let sent = 0; sent < 3; sent += 1) {
        const response = await get('/ok', { 'x-probe': 'yes' });
        expect([response.status, headersOf(response)]).toEqual([200, {}]);
      }
    });

    it('requests that no key has anybody for', async () => {
      const { get } = await bench.start({
        endpoint: await bench.limits.rule(perMinute(1)),
        key: byHeader('X-Tenant'),
      });
      for (let sent = 0; sent < 3; sent += 1) expect((await get('/ok')).status).toBe(200);
    });

    it('roles that the rule lets bypass', async () => {
      const endpoint = await bench.limits.rule(perMinute(1));
      const { get } = await bench.start({ endpoint, roles: () => ['admin'] });
      for (let sent = 0; sent < 3; sent += 1) {
        const response = await get('/ok');
        expect([response.status, response.headers.get('x-ratelimit-bypass')]).toEqual([200, 'true']);
      }
    });
  });
}
