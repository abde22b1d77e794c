import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  RateLimitAdminService,
  type WatchDecisionsRequest,
  type WatchDecisionsResponse,
} from '../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { DecisionSource } from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { failure, fieldsOf, reasonOf } from '../../testing/failure.ts';
import {
  rateLimitClient,
  startTestRateLimit,
  type TestService,
  TRANSPORTS,
  type TransportName,
} from '../../testing/services.ts';

let service: TestService;
beforeEach(async () => {
  service = await startTestRateLimit();
});
afterEach(async () => {
  await service[Symbol.asyncDispose]();
});

async function check(identifier: string, endpoint = 'auth_login', roles: string[] = []): Promise<void> {
  await rateLimitClient(service, 'gRPC').checkLimit({ endpoint, identifier, roles });
}

type Filter = Partial<
  Pick<WatchDecisionsRequest, 'endpoint' | 'identifierPrefix' | 'deniedOnly' | 'sampleRate'>
>;

/** A watcher at work: it has seen a first decision, on the endpoint `hello`. */
async function watching(transport: TransportName, filter: Filter = {}) {
  const abort = new AbortController();
  const seen: WatchDecisionsResponse[] = [];
  const admin = createClient(RateLimitAdminService, service.transport(transport));
  let code: Code | undefined;
  const ended = (async () => {
    try {
      for await (const message of admin.watchDecisions(filter, { signal: abort.signal })) seen.push(message);
    } catch (error) {
      code = ConnectError.from(error).code;
      throw error;
    }
  })();
  ended.catch(() => undefined);
  const identifier = `${filter.identifierPrefix ?? ''}hello`;
  await expect
    .poll(
      async () => {
        await check(identifier, filter.endpoint ?? 'hello');
        return seen.length > 0 || code !== undefined;
      },
      { interval: 20 },
    )
    .toBe(true);
  return {
    /** What it saw since. */
    seen: () => seen.filter((each) => each.identifier !== identifier),
    ended,
    leave: () => abort.abort(),
  };
}

describe.each(TRANSPORTS)('WatchDecisions over %s', (transport) => {
  it('shows decisions as they are made, and what decided', async () => {
    const watcher = await watching(transport);
    const before = Date.now();
    for (let times = 0; times < 6; times += 1) await check('user:1');
    await check('user:2', 'orders', ['admin']);
    await expect.poll(() => watcher.seen().length).toBe(7);
    const [first, , , , , denied, bypassed] = watcher.seen();
    expect(first).toMatchObject({
      endpoint: 'auth_login',
      identifier: 'user:1',
      cost: 1,
      allowed: true,
      shadowDenied: false,
      rule: 'auth_login',
      limitName: '',
      limit: 5,
      remaining: 4,
      source: DecisionSource.MEMORY,
      dropped: 0n,
    });
    expect(first?.retryAfter).toBeUndefined();
    const timeMs = first?.time === undefined ? 0 : timestampMs(first.time);
    expect(timeMs).toBeGreaterThanOrEqual(before - 5);
    expect(timeMs).toBeLessThanOrEqual(Date.now() + 5);
    expect(denied).toMatchObject({ allowed: false, remaining: 0 });
    expect(Number(denied?.retryAfter?.seconds)).toBeGreaterThanOrEqual(50);
    expect(bypassed).toMatchObject({ rule: 'api_default', limit: 100, source: DecisionSource.BYPASS });
    watcher.leave();
  });

  it('shows only what was asked for', async () => {
    const watcher = await watching(transport, { endpoint: 'quotes', identifierPrefix: 'ip:' });
    await check('ip:1', 'orders');
    await check('user:1', 'quotes');
    await check('ip:2', 'quotes');
    await expect.poll(() => watcher.seen().map(({ identifier }) => identifier)).toEqual(['ip:2']);
    watcher.leave();
  });

  it.each([
    ['a sample above all', { sampleRate: 1.1 }, 'sample_rate'],
    ['a sample below none', { sampleRate: -0.1 }, 'sample_rate'],
    ['a sample that is no number', { sampleRate: Number.NaN }, 'sample_rate'],
    ['an endpoint that is none', { endpoint: 'a b' }, 'endpoint'],
    ['a prefix that is too long', { identifierPrefix: 'x'.repeat(257) }, 'identifier_prefix'],
    ['a prefix with a control character', { identifierPrefix: '\n' }, 'identifier_prefix'],
  ])('refuses %s', async (_, filter, field) => {
    const admin = createClient(RateLimitAdminService, service.transport(transport));
    const error = await failure(admin.watchDecisions(filter)[Symbol.asyncIterator]().next());
    expect(error.code).toBe(Code.InvalidArgument);
    expect(fieldsOf(error)).toEqual([field]);
  });

  it('lets 16 watch, refuses more, and has their places again when they leave', async () => {
    const watchers: Awaited<ReturnType<typeof watching>>[] = [];
    for (let taken = 0; taken < 16; taken += 1) watchers.push(await watching(transport));
    const admin = createClient(RateLimitAdminService, service.transport(transport));
    const error = await failure(admin.watchDecisions({})[Symbol.asyncIterator]().next());
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(reasonOf(error)).toBe('TOO_MANY_WATCHERS');
    for (const watcher of watchers) watcher.leave();
    const placeIsFree = async () => {
      const watcher = await watching(transport);
      watcher.leave();
      return (await failure(watcher.ended)).code;
    };
    await expect.poll(placeIsFree, { timeout: 5_000 }).toBe(Code.Canceled);
  });

  it('ends with UNAVAILABLE when the service shuts down', async () => {
    const watcher = await watching(transport);
    await service[Symbol.asyncDispose]();
    expect((await failure(watcher.ended)).code).toBe(Code.Unavailable);
  });

  it('makes no check wait for a watcher that does not read, and tells it what it lost', async () => {
    const abort = new AbortController();
    const admin = createClient(RateLimitAdminService, service.transport(transport));
    const stream = admin
      .watchDecisions({ endpoint: 'orders' }, { signal: abort.signal })
      [Symbol.asyncIterator]();
    const first = stream.next();
    let begun = false;
    void first.then(() => {
      begun = true;
    });
    while (!begun) await check('user:0', 'orders');
    const client = rateLimitClient(service, 'gRPC');
    const burst = 3_000;
    for (let done = 0; done < burst; done += 500) {
      const checks = Array.from({ length: 500 }, () =>
        client.checkLimit({ endpoint: 'orders', identifier: 'x' }),
      );
      await Promise.all(checks);
    }
    let [shown, lost] = [0, 0];
    while (shown + lost < burst) {
      const { value } = await stream.next();
      if (value?.identifier !== 'x') continue;
      shown += 1;
      lost += Number(value.dropped);
    }
    expect(shown + lost).toBe(burst);
    expect(lost).toBeGreaterThan(0);
    abort.abort();
  });
});
