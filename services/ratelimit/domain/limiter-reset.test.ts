import { beforeEach, describe, expect, it } from 'vitest';
import type { Verdict } from './decision-store.ts';
import { DenialCache } from './denial-cache.ts';
import { StoreAway } from './errors.ts';
import { check, full, MINUTE, rulesOf, SECOND, state } from './testing-decisions.ts';
import { allowedTimes, answering, decide, World } from './testing-limiter.ts';

let world = new World();
beforeEach(() => {
  world = new World();
});

describe('reset', () => {
  it('forgets what was consumed in all limits of the rule, for the next check', async () => {
    const limiter = world.limiter();
    const asked = check({ endpoint: 'tight' });
    allowedTimes(limiter, asked, 4);
    expect(await limiter.reset('tight', 'user:1')).toBe(true);
    expect(limiter.peek(asked)).toMatchObject({
      outcomes: [{ state: { remaining: 3 } }, { state: { remaining: 4 } }],
    });
    expect(await limiter.reset('tight', 'user:2')).toBe(false);
    expect(await limiter.reset('free', 'user:1')).toBe(false);
  });

  it('forgets nothing of others', async () => {
    const limiter = world.limiter();
    decide(limiter, check());
    decide(limiter, check({ identifier: 'user:2' }));
    decide(limiter, check({ endpoint: 'orders' }));
    await limiter.reset('auth_login', 'user:2');
    expect(limiter.peek(check())).toMatchObject({ remaining: 4 });
    expect(limiter.peek(check({ endpoint: 'orders' }))).toMatchObject({ remaining: 99 });
  });

  it('reaches what was counted by an override that holds no more for the identifier', async () => {
    const named = (name: string) => ({ name, limit: 5, windowMicros: MINUTE });
    world.rules = rulesOf({
      orders: { limits: [named('all')], overrides: [{ identifier: 'user:vip', limits: [named('vip')] }] },
    });
    const limiter = world.limiter();
    decide(limiter, check({ endpoint: 'orders', identifier: 'user:vip' }));
    expect(await limiter.reset('orders', 'user:vip')).toBe(true);
    expect(world.store.models.size).toBe(0);
  });

  it('reaches what was counted before the rule was switched off, or as a shadow', async () => {
    const limits = [{ limit: 5, windowMicros: MINUTE }];
    const limiter = world.limiter();
    for (const mode of ['ENFORCED', 'SHADOW'] as const) {
      world.rules = rulesOf({ orders: { limits, mode } });
      decide(limiter, check({ endpoint: 'orders' }));
    }
    expect(world.store.models.size).toBe(2);
    world.rules = rulesOf({ orders: { limits, mode: 'DISABLED' } });
    expect(await limiter.reset('orders', 'user:1')).toBe(true);
    expect(world.store.models.size).toBe(0);
  });

  it('says where the store is away, and tells of room all the same: it may have happened', async () => {
    const told: (readonly string[])[] = [];
    const away = answering();
    away.reset = () => Promise.reject(new StoreAway('no answer within 50 ms'));
    const limiter = world.limiter({ store: away, onRoom: (keys) => told.push(keys) });
    await expect(limiter.reset('auth_login', 'user:1')).rejects.toThrow(StoreAway);
    expect(told).toEqual([['ratelimit:auth_login:{user:1}', 'ratelimit:auth_login:{user:1}!']]);
  });
});

describe('with a denial cache', () => {
  const denial: Verdict = { source: 'REDIS', states: [full(SECOND)] };
  const room: Verdict = { source: 'REDIS', states: [state()] };

  function cached(...verdicts: readonly Verdict[]) {
    const denials = new DenialCache(() => world.now);
    denials.on = true;
    world.now += 1;
    const redis = answering(...verdicts);
    return {
      redis,
      denials,
      limiter: world.limiter({ store: redis, denials, onRoom: (keys) => denials.forget(keys) }),
    };
  }

  it('answers a denied key at once until it can have room, without asking', async () => {
    const { limiter, redis } = cached(denial, room);
    await limiter.check(check());
    world.now += SECOND - 1;
    expect(limiter.check(check())).toMatchObject({ allowed: false, source: 'CACHE', retryAfterMicros: 1 });
    expect(redis.asked).toHaveLength(1);
    world.now += 1;
    expect(await limiter.check(check())).toMatchObject({ allowed: true, source: 'REDIS' });
  });

  it('asks again after a reset', async () => {
    const { limiter } = cached(denial, room);
    await limiter.check(check());
    await limiter.reset('auth_login', 'user:1');
    expect(await limiter.check(check())).toMatchObject({ allowed: true });
  });

  it('asks again after a change of the rules', async () => {
    const { limiter } = cached(denial, room);
    await limiter.check(check());
    world.rules = rulesOf({ auth_login: { limits: [{ limit: 5, windowMicros: MINUTE }] } });
    expect(await limiter.check(check())).toMatchObject({ allowed: true });
  });

  it('asks always where it peeks', async () => {
    const { limiter } = cached(denial, denial);
    await limiter.check(check());
    expect(await limiter.peek(check())).toMatchObject({ source: 'REDIS' });
  });

  it('knows a check by any of its keys', async () => {
    const { limiter } = cached(denial);
    await limiter.check(check({ identifier: 'ip:1' }));
    const also = [{ endpoint: '', identifier: 'ip:1', cost: 0 }];
    expect(limiter.check(check({ also }))).toMatchObject({
      source: 'CACHE',
      outcomes: [{ term: { identifier: 'ip:1' } }],
    });
  });

  it('tells of several limits without room the one that takes longest', async () => {
    const { limiter } = cached({ source: 'REDIS', states: [full(SECOND), full(MINUTE)] });
    await limiter.check(check({ endpoint: 'tight' }));
    expect(limiter.check(check({ endpoint: 'tight' }))).toMatchObject({
      source: 'CACHE',
      limit: { name: 'hour' },
      retryAfterMicros: MINUTE,
      outcomes: [{ term: { limit: { name: 'minute' } } }, { term: { limit: { name: 'hour' } } }],
    });
  });

  it.each(['MEMORY', 'FALLBACK_LOCAL', 'FALLBACK_CLOSED'] as const)('keeps nothing of %s', async (source) => {
    const { limiter, denials } = cached({ source, states: [full()] });
    await limiter.check(check());
    expect(denials.size).toBe(0);
  });

  it('keeps nothing of shadow limits', async () => {
    const states = [state(), full()];
    const { limiter, denials } = cached({ source: 'REDIS', states });
    await limiter.check(check({ endpoint: 'tried' }));
    expect(denials.size).toBe(0);
  });
});
