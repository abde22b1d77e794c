import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RetryInfoSchema } from '../../../gen/google/rpc/error_details_pb.ts';
import type { EchoService } from '../../../gen/optix/testing/v1/echo_service_pb.ts';
import { failure } from '../../../testing/failure.ts';
import { byIp, byUser } from './keys.ts';
import type { LimitOptions } from './limit-options.ts';
import { atOneTime, perMinute, startTestLimits, type TestLimits } from './testing-middleware.ts';

/** A server of EchoService with the interceptor, and a client of it. */
export type StartEcho = (
  options: LimitOptions<unknown>,
  echo: ServiceImpl<typeof EchoService>,
) => Promise<{ readonly client: Client<typeof EchoService>; readonly close: () => Promise<unknown> }>;

type Options = Partial<LimitOptions<unknown>>;

const asAda = { headers: { 'x-user': 'ada' } };
const key = byUser((_: unknown, facts) => facts.header('x-user'));

/** What a stream of requests sends. */
export async function* texts(...sent: readonly string[]) {
  for (const text of sent) yield { text };
}

/** What the interceptors of Connect and grpc-js do, over real connections against a real rate limiter. */
export function rpcInterceptorSpec(startEcho: StartEcho): void {
  const resources = new AsyncDisposableStack();
  let limits: TestLimits;
  beforeAll(async () => {
    limits = resources.use(await startTestLimits());
  });
  afterAll(() => resources.disposeAsync());

  async function start(options: Options) {
    let handled = 0;
    const hold = Promise.withResolvers<void>();
    const all = { limiter: limits.limiter, endpoint: 'api', key, ...options };
    const server = await startEcho(all, {
      async echo({ text }) {
        handled += 1;
        if (text === 'fail') throw new ConnectError('broken', Code.DataLoss);
        return { text };
      },
      async *repeat({ text, count }, { signal }) {
        handled += 1;
        for (let sent = 0; sent < count; sent += 1) yield { text };
        const left = new Promise((resolve) => signal.addEventListener('abort', resolve));
        if (text === 'hold') await Promise.race([hold.promise, left]);
      },
      join: async () => ({ text: '' }),
      async *chat(requests) {
        handled += 1;
        for await (const { text } of requests) yield { text };
      },
    });
    resources.defer(async () => {
      hold.resolve();
      await server.close();
    });
    return { client: server.client, handled: () => handled, release: hold.resolve };
  }

  async function remainingOf(endpoint: string): Promise<number | undefined> {
    return (await limits.limiter.peek({ endpoint, identifier: 'user:ada' })).decision?.remaining;
  }

  it('lets calls pass with the headers of their limit, then ends them with RESOURCE_EXHAUSTED', async () => {
    const endpoint = await limits.rule(perMinute(2));
    const { client, handled } = await start({ endpoint });
    const remaining: (string | null)[] = [];
    const onHeader = (headers: Headers) => void remaining.push(headers.get('x-ratelimit-remaining'));
    for (const text of ['a', 'b']) {
      expect((await client.echo({ text }, { ...asAda, onHeader })).text).toBe(text);
    }
    expect(remaining).toEqual(['1', '0']);

    const error = await failure(client.echo({ text: 'c' }, asAda));
    expect(error.code).toBe(Code.ResourceExhausted);
    const retryAfter = Number(error.metadata.get('retry-after'));
    expect(retryAfter).toBeGreaterThan(50);
    expect(error.rawMessage).toBe(`the limit is used up; try again in ${retryAfter} s`);
    expect(error.metadata.get('x-ratelimit-limit')).toBe('2');
    expect(error.metadata.get('ratelimit-policy')).toBe(`"${endpoint}";q=2;w=60`);
    const [info] = error.findDetails(RetryInfoSchema);
    expect(Number(info?.retryDelay?.seconds)).toBeGreaterThan(50);
    expect(Number(info?.retryDelay?.seconds)).toBeLessThanOrEqual(retryAfter);
    expect(handled()).toBe(2);
  });

  it('lets exactly the limit pass of calls that race', async () => {
    const { client, handled } = await start({ endpoint: await limits.rule(perMinute(10)) });
    const calls = Array.from({ length: 60 }, () => client.echo({ text: 'a' }, asAda));
    const outcomes = await Promise.allSettled(calls);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    expect(handled()).toBe(10);
  });

  it('counts a stream once, when it opens', async () => {
    const { client, handled } = await start({ endpoint: await limits.rule(perMinute(2)) });
    const repeated = async () => {
      const received: string[] = [];
      for await (const { text } of client.repeat({ text: 'a', count: 5 }, asAda)) received.push(text);
      return received.length;
    };
    expect(await repeated()).toBe(5);
    const chat: string[] = [];
    for await (const { text } of client.chat(texts('a', 'b', 'c'), asAda)) chat.push(text);
    expect(chat).toEqual(['a', 'b', 'c']);
    expect((await failure(repeated())).code).toBe(Code.ResourceExhausted);
    expect(handled()).toBe(2);
  });

  it('counts by method and by address', async () => {
    const endpoint = await limits.rule(perMinute(1));
    const { client } = await start({
      endpoint: (_, { path }) => (path === '/optix.testing.v1.EchoService/Echo' ? endpoint : undefined),
      key: byIp(),
    });
    await client.echo({ text: 'a' });
    expect((await failure(client.echo({ text: 'a' }))).code).toBe(Code.ResourceExhausted);
    await client.join(texts());
    const { decision } = await limits.limiter.peek({ endpoint, identifier: 'ip:127.0.0.1' });
    expect(decision?.remaining).toBe(0);
  });

  it('denies what never fits, without a time to come back', async () => {
    const { client } = await start({ endpoint: await limits.rule(perMinute(2)), cost: 3 });
    const error = await failure(client.echo({ text: 'a' }, asAda));
    expect([error.code, error.metadata.has('retry-after')]).toEqual([Code.ResourceExhausted, false]);
    expect(error.findDetails(RetryInfoSchema)).toEqual([]);
  });

  it('leaves calls unlimited that are skipped', async () => {
    const endpoint = await limits.rule(perMinute(1));
    const { client } = await start({ endpoint, skip: (_, { path }) => path.endsWith('/Echo') });
    for (let sent = 0; sent < 3; sent += 1) await client.echo({ text: 'a' }, asAda);
    expect(await remainingOf(endpoint)).toBe(1);
  });

  describe('while the limiter can not be reached', () => {
    it('ends calls with UNAVAILABLE where that is to deny', async () => {
      const { client, handled } = await start({ limiter: limits.away('deny') });
      const error = await failure(client.echo({ text: 'a' }, asAda));
      expect([error.code, error.metadata.get('retry-after')]).toEqual([Code.Unavailable, '1']);
      expect(error.findDetails(RetryInfoSchema)).toMatchObject([{ retryDelay: { seconds: 1n } }]);
      expect(handled()).toBe(0);
    });

    it('lets calls pass where that is to allow', async () => {
      const { client } = await start({ limiter: limits.away('allow') });
      expect((await client.echo({ text: 'a' }, asAda)).text).toBe('a');
    });

    it('fails where that is to throw, and tells callers no address', async () => {
      const { client, handled } = await start({ limiter: limits.away('throw') });
      const error = await failure(client.echo({ text: 'a' }, asAda));
      expect([error.code, error.rawMessage]).toEqual([
        Code.Unavailable,
        'the rate limit could not be checked',
      ]);
      expect(handled()).toBe(0);
    });
  });

  it('fails where the limiter refuses to be asked so, and handles nothing', async () => {
    const { client, handled } = await start({ endpoint: 'no endpoint' });
    const error = await failure(client.echo({ text: 'a' }, asAda));
    expect([error.code, error.details, handled()]).toEqual([Code.Internal, [], 0]);
  });

  describe('gives back', () => {
    it('what calls took that end with a chosen code', async () => {
      const endpoint = await limits.rule(perMinute(3));
      const { client } = await start({ endpoint, refundOn: (code) => code === Code.DataLoss });
      await client.echo({ text: 'a' }, asAda);
      expect((await failure(client.echo({ text: 'fail' }, asAda))).code).toBe(Code.DataLoss);
      await expect.poll(() => remainingOf(endpoint)).toBe(2);
      await client.echo({ text: 'a' }, asAda);
      await sleep(100);
      expect(await remainingOf(endpoint)).toBe(1);
    });

    it('the lease of a stream when it has ended, and not before', async () => {
      const endpoint = await limits.rule(atOneTime(1));
      const { client, release } = await start({ endpoint });
      const stream = client.repeat({ text: 'hold', count: 1 }, asAda)[Symbol.asyncIterator]();
      expect((await stream.next()).value?.text).toBe('hold');
      expect((await failure(client.echo({ text: 'a' }, asAda))).code).toBe(Code.ResourceExhausted);
      release();
      expect((await stream.next()).done).toBe(true);
      await expect.poll(() => remainingOf(endpoint)).toBe(1);
    });

    it('the lease of a caller that leaves', async () => {
      const endpoint = await limits.rule(atOneTime(1));
      const { client } = await start({ endpoint });
      const controller = new AbortController();
      const { signal } = controller;
      const stream = client.repeat({ text: 'hold', count: 1 }, { ...asAda, signal })[Symbol.asyncIterator]();
      await stream.next();
      expect(await remainingOf(endpoint)).toBe(0);
      controller.abort();
      await expect.poll(() => remainingOf(endpoint)).toBe(1);
    });
  });
}
