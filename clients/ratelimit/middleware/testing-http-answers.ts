import { describe, expect, it } from 'vitest';
import { type HttpBench, headersOf } from './testing-http-bench.ts';
import { perMinute } from './testing-middleware.ts';

/** How HTTP middleware answers. */
export function answersSpec(bench: HttpBench): void {
  it('lets requests pass with the headers of their limit, then answers 429', async () => {
    const endpoint = await bench.limits.rule(perMinute(2));
    const { get, handled } = await bench.start({ endpoint });

    const first = await get('/ok');
    expect([first.status, await first.text()]).toEqual([200, 'done']);
    expect(headersOf(first)).toEqual({
      'x-ratelimit-limit': '2',
      'x-ratelimit-remaining': '1',
      'x-ratelimit-reset': expect.stringMatching(/^\d{13}$/),
      ratelimit: expect.stringMatching(new RegExp(`^"${endpoint}";r=1;t=(59|60)$`)),
      'ratelimit-policy': `"${endpoint}";q=2;w=60`,
    });
    expect(headersOf(await get('/ok'))).toMatchObject({ 'x-ratelimit-remaining': '0' });

    const denied = await get('/ok');
    expect(denied.status).toBe(429);
    const { 'retry-after': retryAfter, ...headers } = headersOf(denied);
    expect(Number(retryAfter)).toBeGreaterThan(50);
    expect(Number(retryAfter)).toBeLessThanOrEqual(60);
    expect(headers).toMatchObject({ 'x-ratelimit-limit': '2', 'x-ratelimit-remaining': '0' });
    expect(denied.headers.get('content-type')).toBe('application/problem+json');
    expect(denied.headers.get('cache-control')).toBe('no-store');
    expect(await denied.json()).toEqual({
      type: 'about:blank',
      title: 'Too Many Requests',
      status: 429,
      detail: `The limit is used up. Try again in ${retryAfter} s.`,
      retry_after: Number(retryAfter),
      rule: endpoint,
    });
    expect(handled()).toBe(2);
  });

  it('lets exactly the limit pass of requests that race', async () => {
    const { get, handled } = await bench.start({ endpoint: await bench.limits.rule(perMinute(10)) });
    const statuses = await Promise.all(Array.from({ length: 60 }, async () => (await get('/ok')).status));
    expect(statuses.filter((status) => status === 200)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(50);
    expect(handled()).toBe(10);
  });

  it('answers a denied request with a body, and the connection goes on', async () => {
    const { get } = await bench.start({ endpoint: await bench.limits.rule(perMinute(1)) });
    const post = () => get('/ok', {}, { method: 'POST', body: 'x'.repeat(200_000) });
    const statuses = [];
    for (let sent = 0; sent < 3; sent += 1) statuses.push((await post()).status);
    expect(statuses).toEqual([200, 429, 429]);
  });

  it.each([
    ['all', ['ratelimit', 'ratelimit-policy', 'x-ratelimit-limit']],
    ['legacy', ['x-ratelimit-limit']],
    ['ietf', ['ratelimit', 'ratelimit-policy']],
    ['none', []],
  ] as const)(
    'tells the headers of the choice %s, and a denial its retry-after',
    async (headers, expected) => {
      const { get } = await bench.start({ endpoint: await bench.limits.rule(perMinute(1)), headers });
      const some = ['ratelimit', 'ratelimit-policy', 'x-ratelimit-limit', 'retry-after'];
      const told = (response: Response) => some.filter((name) => response.headers.has(name));
      expect(told(await get('/ok'))).toEqual(expected);
      expect(told(await get('/ok'))).toEqual([...expected, 'retry-after']);
    },
  );

  it('has the headers on errors of the handler too', async () => {
    const { get } = await bench.start({ endpoint: await bench.limits.rule(perMinute(2)) });
    const response = await get('/fail');
    expect(response.status).toBe(500);
    expect(response.headers.get('x-ratelimit-remaining')).toBe('1');
  });

  it('answers a denial in one’s own way, with the headers of the limit', async () => {
    const { get } = await bench.start({
      endpoint: await bench.limits.rule(perMinute(1)),
      onDenied: (_, { why, answer, decision }) => ({
        status: 420,
        headers: { 'Content-Type': 'text/plain', 'X-RateLimit-Limit': 'few' },
        body: `${why} ${answer.status} ${decision?.limit}`,
      }),
    });
    await get('/ok');
    const denied = await get('/ok');
    expect([denied.status, await denied.text()]).toEqual([420, 'limited 429 1']);
    expect(headersOf(denied)).toMatchObject({
      'retry-after': expect.stringMatching(/^\d+$/),
      'x-ratelimit-limit': 'few',
      'x-ratelimit-remaining': '0',
    });
  });

  describe('while the limiter can not be reached', () => {
    it('answers 503 where that is to deny', async () => {
      const { get, handled } = await bench.start({ limiter: bench.limits.away('deny') });
      const response = await get('/ok');
      expect([response.status, response.headers.get('retry-after'), handled()]).toEqual([503, '1', 0]);
      expect(await response.json()).toMatchObject({ title: 'Service Unavailable', retry_after: 1 });
    });

    it('lets pass where that is to allow, without headers', async () => {
      const { get } = await bench.start({ limiter: bench.limits.away('allow') });
      const response = await get('/ok');
      expect([response.status, headersOf(response)]).toEqual([200, {}]);
    });

    it('fails where that is to throw, and tells callers no address', async () => {
      const { get, handled } = await bench.start({ limiter: bench.limits.away('throw') });
      const response = await get('/ok');
      expect(response.status).toBe(503);
      expect(await response.text()).not.toContain('127.0.0.1');
      expect(handled()).toBe(0);
    });
  });

  it('fails where the limiter refuses to be asked so, and handles nothing', async () => {
    const { get, handled } = await bench.start({ endpoint: 'no endpoint' });
    expect([(await get('/ok')).status, handled()]).toEqual([500, 0]);
  });
}
