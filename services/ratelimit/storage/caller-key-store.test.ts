import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KEPT_AFTER_END_MS } from '../../../runtime/callers/caller-key-store.ts';
import { describeCallerKeyStore, newKey } from '../../../runtime/callers/testing-caller-key-store.ts';
import { singleRedis } from '../../../runtime/redis-target.ts';
import { type RedisServer, startRedis } from '../../../stack/redis-server.ts';
import { collectingLogger } from '../../../testing/collecting-logger.ts';
import { StoreAway } from '../domain/errors.ts';
import { CALLER_KEYS_KEY, CALLER_KEYS_USED_KEY, RedisCallerKeyStore } from './caller-key-store.ts';
import { LEAST_RIGHTS } from './testing-acl.ts';
import { inspect } from './testing-redis.ts';

let redis: RedisServer;
let resources: AsyncDisposableStack;
beforeEach(async () => {
  resources = new AsyncDisposableStack();
  redis = resources.use(await startRedis());
});
afterEach(() => resources.disposeAsync());

/** The store of one process, its connection being there. */
async function open(url = redis.url): Promise<RedisCallerKeyStore> {
  const { logger } = collectingLogger();
  const store = resources.use(new RedisCallerKeyStore({ target: singleRedis(url), logger }));
  for (let tries = 0; ; tries += 1) {
    try {
      await store.version();
      return store;
    } catch (error) {
      if (tries === 100) throw error;
      await sleep(20);
    }
  }
}

describeCallerKeyStore(async () => [await open(), await open()]);

describe('caller keys in Redis', () => {
  it('are under two keys without an expiry, and the text of no key is among them', async () => {
    await using client = inspect(redis.url);
    const store = await open();
    const key = newKey();
    await store.insert(key);
    await store.noteUse(new Map([[key.id, new Date()]]));
    expect((await client.keys('*')).sort()).toEqual([CALLER_KEYS_KEY, CALLER_KEYS_USED_KEY]);
    expect([await client.pttl(CALLER_KEYS_KEY), await client.pttl(CALLER_KEYS_USED_KEY)]).toEqual([-1, -1]);
  });

  it('need no further rights than the service has, also to forget when old ones were used', async () => {
    await using client = inspect(redis.url);
    await client.call('ACL', 'SETUSER', 'limiter', 'on', '>pw', ...LEAST_RIGHTS);
    const store = await open(`redis://limiter:pw@127.0.0.1:${redis.port}`);
    const [kept, fresh] = [newKey(), newKey()];
    const old = newKey({ expiresAt: new Date(Date.now() - KEPT_AFTER_END_MS + 500) });
    for (const key of [old, kept]) await store.insert(key);
    await store.noteUse(new Map([old, kept].map(({ id }) => [id, new Date()])));
    expect(await client.hkeys(CALLER_KEYS_USED_KEY)).toHaveLength(2);
    await sleep(600);
    await store.insert(fresh);
    await store.revoke(fresh.id, new Date());
    expect((await store.list()).map(({ id, lastUsedAt }) => [id, lastUsedAt !== null])).toEqual([
      [kept.id, true],
      [fresh.id, false],
    ]);
    expect(await client.hkeys(CALLER_KEYS_USED_KEY)).toEqual([kept.id]);
  });

  it('are written back after a flush by a process that knows them, revoked ones too', async () => {
    await using client = inspect(redis.url);
    const [one, two] = [await open(), await open()];
    const [good, revoked] = [newKey(), newKey()];
    for (const key of [good, revoked]) await one.insert(key);
    await two.version();
    await one.revoke(revoked.id, new Date());
    await client.flushall();
    // It did not hear of the revocation: what it writes back gives way to what the other one knows.
    await two.version();
    await one.version();
    const fresh = await open();
    expect((await fresh.list()).map(({ revokedAt }) => revokedAt !== null)).toEqual([false, true]);
    expect(await two.version()).toBe(await one.version());
    expect((await two.list()).map(({ revokedAt }) => revokedAt !== null)).toEqual([false, true]);
  });

  it('lose nothing where a change comes right after a flush', async () => {
    await using client = inspect(redis.url);
    const one = await open();
    await one.insert(newKey());
    await client.flushall();
    await one.insert(newKey());
    expect(await (await open()).list()).toHaveLength(2);
  });

  it('can not be asked for while Redis is away, which is told within two seconds', async () => {
    const one = await open();
    await one.insert(newKey());
    redis.kill('SIGSTOP');
    const start = performance.now();
    await expect(one.version()).rejects.toThrow(StoreAway);
    await expect(one.revoke(newKey().id, new Date())).rejects.toThrow(StoreAway);
    expect(performance.now() - start).toBeLessThan(4_000);
    redis.kill('SIGCONT');
    await expect.poll(() => one.list().catch(() => []), { timeout: 5_000 }).toHaveLength(1);
  });

  it.each([
    ['no JSON', 'optix_secret', /are not JSON$/],
    ['another form', '{"keys":[{"id":"optix_secret"}]}', /can not be used: keys.0.id/],
  ])('of %s are refused without repeating them', async (_, document, message) => {
    await using client = inspect(redis.url);
    const one = await open();
    await client.hset(CALLER_KEYS_KEY, { revision: '4000000000000.0', document });
    const error = await one.version().catch((each: Error) => each);
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain('secret');
  });
});
