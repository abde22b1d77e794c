import { randomUUID } from 'node:crypto';
import { Code, createClient } from '@connectrpc/connect';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CallerService } from '../../gen/optix/callers/v1/caller_service_pb.ts';
import { RateLimitService } from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { keyDigest } from '../../runtime/callers/caller-key.ts';
import { type RedisServer, startRedis } from '../../stack/redis-server.ts';
import { failure, fieldsOf, reasonOf } from '../../testing/failure.ts';
import { startTestRateLimit, type TestService, TRANSPORTS } from '../../testing/services.ts';

const ADMIN = 'Bearer key-of-ops';
const CALLERS = `ops=${keyDigest('key-of-ops')};callers.admin`;

let redis: RedisServer;
let resources: AsyncDisposableStack;
beforeEach(async () => {
  resources = new AsyncDisposableStack();
  redis = resources.use(await startRedis());
});
afterEach(() => resources.disposeAsync());

async function start(env: Record<string, string> = {}): Promise<TestService> {
  const settings = { REDIS_URL: redis.url, REDIS_TIMEOUT_MS: '1000', RATELIMIT_CALLER_KEYS: CALLERS };
  return resources.use(await startTestRateLimit({ ...settings, ...env }));
}

/** CallerService as the operator has it. */
function admin(service: TestService, transport: (typeof TRANSPORTS)[number] = 'gRPC') {
  const client = createClient(CallerService, service.transport(transport));
  const options = { headers: { authorization: ADMIN } };
  return {
    create: (request: Parameters<typeof client.createCallerKey>[0]) =>
      client.createCallerKey({ name: 'gateway', scopes: ['limits.check'], ...request }, options),
    list: async (request: Parameters<typeof client.listCallerKeys>[0] = {}) =>
      await client.listCallerKeys(request, options),
    rotate: async (request: Parameters<typeof client.rotateCallerKey>[0]) =>
      await client.rotateCallerKey(request, options),
    revoke: async (id: string) => await client.revokeCallerKey({ id }, options),
  };
}

/** Whether a key is let in. */
async function isGood(service: TestService, key: string): Promise<boolean> {
  const client = createClient(RateLimitService, service.transport('gRPC'));
  const headers = { authorization: `Bearer ${key}` };
  try {
    await client.checkLimit({ endpoint: 'orders', identifier: 'user:1' }, { headers });
    return true;
  } catch (error) {
    if (reasonOf(error as never) === 'CALLER_UNAUTHENTICATED') return false;
    throw error;
  }
}

const soon = async (assertion: () => Promise<void>) =>
  await vi.waitFor(assertion, { timeout: 5_000, interval: 20 });
const inMs = (ms: number) => ({ seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 });

describe.each(TRANSPORTS)('over %s, a caller key', (transport) => {
  it('is made, told once, good on every process within a second, and listed without its text', async () => {
    const [one, two] = [await start(), await start()];
    const { callerKey, key } = await admin(one, transport).create({ scopes: ['limits.check', 'rules.read'] });
    expect(key).toMatch(/^optix_[\w-]{43}$/);
    expect(await isGood(one, key)).toBe(true);
    const started = performance.now();
    await soon(async () => expect(await isGood(two, key)).toBe(true));
    expect(performance.now() - started).toBeLessThan(1_000);
    const { callerKeys } = await admin(two, transport).list();
    expect(callerKeys).toMatchObject([
      { id: callerKey?.id, name: 'gateway', scopes: ['limits.check', 'rules.read'], createdBy: 'ops' },
    ]);
    expect(
      JSON.stringify(callerKeys, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
    ).not.toMatch(new RegExp(`${key}|${keyDigest(key)}`));
  });

  it('that is revoked is refused at once in the process that was asked, within a second in the other', async () => {
    const [one, two] = [await start(), await start()];
    const { callerKey, key } = await admin(one, transport).create({});
    await soon(async () => expect(await isGood(two, key)).toBe(true));
    const revoked = await admin(two, transport).revoke(callerKey?.id ?? '');
    const started = performance.now();
    expect(await isGood(two, key)).toBe(false);
    expect(revoked.callerKey?.revokeTime).toBeDefined();
    await soon(async () => expect(await isGood(one, key)).toBe(false));
    expect(performance.now() - started).toBeLessThan(1_000);
    // Looks that were under way bring nothing back.
    for (let index = 0; index < 50; index += 1) expect(await isGood(two, key)).toBe(false);
    const again = await admin(one, transport).revoke(callerKey?.id ?? '');
    expect(again.callerKey?.revokeTime).toEqual(revoked.callerKey?.revokeTime);
  });

  it('is rotated: both are good for the overlap, then the new one alone', async () => {
    const [one, two] = [await start(), await start()];
    const { callerKey, key } = await admin(one, transport).create({});
    const rotated = await admin(one, transport).rotate({ id: callerKey?.id ?? '', overlap: inMs(2_000) });
    expect(rotated.callerKey).toMatchObject({ name: 'gateway', scopes: ['limits.check'], createdBy: 'ops' });
    expect(rotated.previous?.id).toBe(callerKey?.id);
    expect([await isGood(one, key), await isGood(one, rotated.key)]).toEqual([true, true]);
    await soon(async () => expect(await isGood(two, rotated.key)).toBe(true));
    await soon(async () => expect([await isGood(one, key), await isGood(two, key)]).toEqual([false, false]));
    expect([await isGood(one, rotated.key), await isGood(two, rotated.key)]).toEqual([true, true]);
    const ended = await failure(admin(two, transport).rotate({ id: callerKey?.id ?? '' }));
    expect([ended.code, reasonOf(ended)]).toEqual([Code.FailedPrecondition, 'CALLER_KEY_ENDED']);
  });

  it('can be asked for again under its request_id: no second one is made', async () => {
    const service = await start();
    const requestId = randomUUID();
    const { callerKey } = await admin(service, transport).create({ requestId });
    expect(callerKey?.id).toBe(requestId);
    const error = await failure(admin(service, transport).create({ requestId }));
    expect([error.code, reasonOf(error)]).toEqual([Code.AlreadyExists, 'CALLER_KEY_EXISTS']);
    const rotation = await failure(admin(service, transport).rotate({ id: requestId, requestId }));
    expect(reasonOf(rotation)).toBe('CALLER_KEY_EXISTS');
    expect((await admin(service, transport).list()).callerKeys).toMatchObject([{ id: requestId }]);
  });

  it.each<[string, object, readonly string[]]>([
    ['no name', { name: '' }, ['name']],
    ['a name that is none', { name: 'Gate Way' }, ['name']],
    ['no scopes', { scopes: [] }, ['scopes']],
    ['a scope of another service', { scopes: ['limits.check', 'users.read'] }, ['scopes[1]']],
    ['an end in the past', { expiration: { case: 'expireTime', value: inMs(1_000) } }, ['expire_time']],
    ['no time at all', { expiration: { case: 'ttl', value: inMs(0) } }, ['ttl']],
    ['more than ten years', { expiration: { case: 'ttl', value: { seconds: 400_000_000n } } }, ['ttl']],
    ['a request id that is none', { requestId: '1' }, ['request_id']],
  ])('with %s is refused, naming the field, and none is made', async (_, request, fields) => {
    const service = await start();
    const error = await failure(admin(service, transport).create(request));
    expect([error.code, fieldsOf(error)]).toEqual([Code.InvalidArgument, fields]);
    expect((await admin(service, transport).list()).callerKeys).toEqual([]);
  });
});

describe('caller keys', () => {
  it('end by themselves', async () => {
    const service = await start();
    const { key } = await admin(service).create({ expiration: { case: 'ttl', value: inMs(800) } });
    expect(await isGood(service, key)).toBe(true);
    await soon(async () => expect(await isGood(service, key)).toBe(false));
  });

  it('are listed page by page, oldest first', async () => {
    const service = await start();
    const ids: (string | undefined)[] = [];
    for (let index = 0; index < 5; index += 1) ids.push((await admin(service).create({})).callerKey?.id);
    const pages: string[][] = [];
    let pageToken = '';
    do {
      const page = await admin(service).list({ pageSize: 2, pageToken });
      pages.push(page.callerKeys.map(({ id }) => id));
      pageToken = page.nextPageToken;
      // The page after a key begins after it all the same.
      if (pages.length === 1) await admin(service).create({});
    } while (pageToken !== '');
    expect(pages.map((page) => page.length)).toEqual([2, 2, 2]);
    expect(pages.flat().slice(0, 5)).toEqual(ids);
    const error = await failure(admin(service).list({ pageToken: 'x', pageSize: 1001 }));
    expect(fieldsOf(error)).toEqual(['page_size', 'page_token']);
  });

  it('may do what their scopes say and nothing else', async () => {
    const service = await start();
    const { key } = await admin(service).create({ scopes: ['rules.read'] });
    const client = createClient(RateLimitService, service.transport('gRPC'));
    const headers = { authorization: `Bearer ${key}` };
    const error = await failure(client.checkLimit({ endpoint: 'a', identifier: 'user:1' }, { headers }));
    expect([error.code, reasonOf(error)]).toEqual([Code.PermissionDenied, 'CALLER_NOT_PERMITTED']);
  });

  it('stay good while Redis is away, and can not be changed then', async () => {
    const service = await start();
    const { callerKey, key } = await admin(service).create({});
    redis.kill('SIGSTOP');
    const error = await failure(admin(service).revoke(callerKey?.id ?? ''));
    expect([error.code, reasonOf(error)]).toEqual([Code.Unavailable, 'STORE_UNAVAILABLE']);
    expect(await isGood(service, key)).toBe(true);
    redis.kill('SIGCONT');
    await soon(async () => {
      await admin(service).revoke(callerKey?.id ?? '');
    });
    expect(await isGood(service, key)).toBe(false);
  });

  it('come back after a flush of Redis, those that were revoked as revoked', async () => {
    await using client = Object.assign(new Redis(redis.url), {
      [Symbol.asyncDispose]: async () => client.disconnect(),
    });
    const [one, two] = [await start(), await start()];
    const [good, revoked] = [await admin(one).create({}), await admin(one).create({})];
    await admin(two).revoke(revoked.callerKey?.id ?? '');
    await client.flushall();
    await soon(async () => expect((await admin(await start()).list()).callerKeys).toHaveLength(2));
    for (const service of [one, two, await start()]) {
      await soon(async () => expect(await isGood(service, revoked.key)).toBe(false));
      expect(await isGood(service, good.key)).toBe(true);
    }
  });

  it('show when they were last used, once the process has noted it', async () => {
    const one = await start();
    const { key } = await admin(one).create({});
    expect((await admin(one).list()).callerKeys[0]?.lastUseTime).toBeUndefined();
    const before = Date.now();
    expect(await isGood(one, key)).toBe(true);
    const other = await start();
    // A process notes the last uses when it ends.
    await one[Symbol.asyncDispose]();
    const { callerKeys } = await admin(other).list();
    expect(Number(callerKeys[0]?.lastUseTime?.seconds)).toBeGreaterThanOrEqual(Math.floor(before / 1000));
  });

  it('are nowhere in Redis as texts', async () => {
    await using client = Object.assign(new Redis(redis.url), {
      [Symbol.asyncDispose]: async () => client.disconnect(),
    });
    const service = await start();
    const { key } = await admin(service).create({});
    const dump = JSON.stringify([await client.hgetall('ratelimit:{callers}'), service.log]);
    expect(dump).toContain(keyDigest(key));
    expect(dump).not.toContain(key.slice('optix_'.length));
    expect(JSON.stringify(service.log)).not.toContain(keyDigest(key));
  });

  it('can not be kept without Redis', async () => {
    const service = resources.use(await startTestRateLimit({ RATELIMIT_CALLER_KEYS: CALLERS }));
    for (const call of [
      admin(service).create({}),
      admin(service).list(),
      admin(service).revoke(randomUUID()),
    ]) {
      const error = await failure(call);
      expect([error.code, reasonOf(error)]).toEqual([Code.FailedPrecondition, 'MANAGED_KEYS_OFF']);
    }
  });

  it('that nobody has are NOT_FOUND', async () => {
    const service = await start();
    for (const call of [admin(service).revoke(randomUUID()), admin(service).rotate({ id: randomUUID() })]) {
      const error = await failure(call);
      expect([error.code, reasonOf(error)]).toEqual([Code.NotFound, 'CALLER_KEY_NOT_FOUND']);
    }
  });
});
