import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Check } from './check.ts';
import type { Decision } from './decision.ts';
import type { DecisionStore } from './decision-store.ts';
import { CostExceedsLimit, TooManyTerms } from './errors.ts';
import { MAX_TERMS_AT_ONCE } from './limiter.ts';
import { check, MINUTE, rulesOf, state, T } from './testing-decisions.ts';
import { allowedTimes, answering, decide, World } from './testing-limiter.ts';

let world = new World();
beforeEach(() => {
  world = new World();
});

describe('check', () => {
  it('allows the limit and denies the next, by identifier and by endpoint', () => {
    const limiter = world.limiter();
    expect(allowedTimes(limiter, check(), 6)).toEqual([true, true, true, true, true, false]);
    expect(limiter.check(check({ identifier: 'user:2' }))).toMatchObject({ remaining: 4 });
    expect(limiter.check(check({ endpoint: 'orders' }))).toMatchObject({ remaining: 99 });
    expect(limiter.check(check({ endpoint: 'quotes' }))).toMatchObject({ remaining: 99 });
  });

  it('explains its decision', () => {
    expect(world.limiter().check(check())).toMatchObject({
      allowed: true,
      remaining: 4,
      resetMicros: T + MINUTE,
      retryAfterMicros: 0,
      source: 'MEMORY',
      rule: world.rules.get('auth_login'),
      limit: { limit: 5, windowMicros: MINUTE },
      receipt: '',
    });
  });

  it('keeps all limits of a rule at once, and takes of none where one is full', () => {
    const limiter = world.limiter();
    const asked = check({ endpoint: 'tight' });
    expect(allowedTimes(limiter, asked, 4)).toEqual([true, true, true, false]);
    world.now += MINUTE;
    expect(allowedTimes(limiter, asked, 2)).toEqual([true, false]);
    expect(limiter.check(asked)).toMatchObject({ allowed: false, limit: { name: 'hour' } });
    expect(limiter.peek(asked)).toMatchObject({
      outcomes: [{ state: { remaining: 2 } }, { state: { remaining: 0 } }],
    });
  });

  it('keeps the limits of further keys, and takes of none where one is full', () => {
    const limiter = world.limiter();
    const also = [{ endpoint: '', identifier: 'ip:1', cost: 0 }];
    for (let user = 0; user < 5; user += 1) {
      expect(limiter.check(check({ identifier: `user:${user}`, also }))).toMatchObject({ allowed: true });
    }
    expect(limiter.check(check({ identifier: 'user:9', also }))).toMatchObject({ allowed: false });
    expect(limiter.check(check({ identifier: 'user:9' }))).toMatchObject({ remaining: 4 });
  });

  it('counts a shadow limit apart and enforces it never', () => {
    const limiter = world.limiter();
    const asked = check({ endpoint: 'tried' });
    const decisions = Array.from({ length: 6 }, () => decide(limiter, asked));
    expect(decisions.map(({ allowed }) => allowed)).toEqual([true, true, true, true, true, false]);
    expect(decisions.map(({ shadowDenied }) => shadowDenied)).toEqual([false, false, true, true, true, true]);
    expect(decisions.every(({ limit }) => limit?.name === 'now')).toBe(true);
  });

  it('refuses a cost above the limit before anything is touched', () => {
    const limiter = world.limiter();
    expect(() => limiter.check(check({ cost: 6 }))).toThrow(CostExceedsLimit);
    expect(() => limiter.check(check({ cost: 6, roles: ['admin'] }))).toThrow(CostExceedsLimit);
    expect(world.store.asks).toEqual([]);
  });

  it.each([
    ['a bypass role', { roles: ['trader', 'admin'] }, { source: 'BYPASS', bypassed: true, remaining: 5 }],
    [
      'a rule without limits',
      { endpoint: 'free' },
      { source: 'UNLIMITED', bypassed: false, limit: undefined },
    ],
    ['a rule that is off', { endpoint: 'off' }, { source: 'DISABLED', bypassed: false, limit: undefined }],
  ])('lets %s through without counting', (_, change, expected) => {
    expect(world.limiter().check(check(change))).toMatchObject({
      allowed: true,
      resetMicros: T,
      ...expected,
    });
    expect(world.store.asks).toEqual([]);
  });

  it('allows everything, counts nothing and refuses nothing while switched off', () => {
    const off = world.limiter({ enabled: false });
    for (const cost of [0, 6]) {
      expect(off.check(check({ cost }))).toMatchObject({
        allowed: true,
        source: 'DISABLED',
        limit: undefined,
      });
    }
    expect(world.store.asks).toEqual([]);
  });

  it('answers as the store does: at once, later, or with its error', async () => {
    expect(world.limiter().check(check())).not.toBeInstanceOf(Promise);
    const states = [state({ remaining: 1 })];
    const later = world.limiter({
      store: answering({ source: 'REDIS', states }, new Error('gone')),
    });
    const answer = later.check(check());
    expect(answer).toBeInstanceOf(Promise);
    expect(await answer).toMatchObject({ remaining: 1, source: 'REDIS' });
    await expect(later.check(check())).rejects.toThrow('gone');
  });

  it('follows a change of the rules with the next check, and keeps what was counted', () => {
    const limiter = world.limiter();
    allowedTimes(limiter, check(), 5);
    world.rules = rulesOf({ auth_login: { limits: [{ limit: 7, windowMicros: MINUTE }] } });
    expect(allowedTimes(limiter, check(), 3)).toEqual([true, true, false]);
  });
});

describe('peek', () => {
  it('tells what a check would be answered, and counts nothing', () => {
    const limiter = world.limiter();
    for (let times = 0; times < 9; times += 1) {
      expect(limiter.peek(check({ cost: 2 }))).toMatchObject({ allowed: true, remaining: 5 });
    }
    decide(limiter, check({ cost: 4 }));
    expect(limiter.peek(check({ cost: 2 }))).toMatchObject({ allowed: false, remaining: 1 });
    expect(limiter.peek(check())).toMatchObject({ allowed: true, remaining: 1 });
  });

  it('gives no receipt and is seen by nobody', () => {
    const seen: Decision[] = [];
    const limiter = world.limiter({ observer: { decided: (_, decision) => seen.push(decision) } });
    expect(limiter.peek(check({ refundable: true }))).toMatchObject({ receipt: '' });
    expect(seen).toEqual([]);
  });
});

describe('checkEach', () => {
  const users = (count: number, endpoint: string) =>
    Array.from({ length: count }, (_, user) => check({ endpoint, identifier: `user:${user}` }));

  it('decides each by itself, in order', async () => {
    const checks = [
      check({ cost: 4 }),
      check({ cost: 2 }),
      check({ cost: 1 }),
      check({ identifier: 'user:2' }),
    ];
    expect(await world.limiter().checkEach(checks)).toMatchObject([
      { allowed: true },
      { allowed: false },
      { allowed: true },
      { allowed: true },
    ]);
  });

  it('counts nothing where one of them is at fault, and names it', async () => {
    const limiter = world.limiter();
    await expect(limiter.checkEach([check(), check({ cost: 6 })])).rejects.toMatchObject({
      field: 'checks[1].cost',
    });
    expect(world.store.asks).toEqual([]);
  });

  it('asks for some limits at a time, so that the store can keep its time', async () => {
    let underWay = 0;
    let most = 0;
    const store: DecisionStore = {
      ...answering(),
      async decide({ terms }) {
        underWay += terms.length;
        most = Math.max(most, underWay);
        await turn();
        underWay -= terms.length;
        return { source: 'REDIS', states: terms.map(() => state()) };
      },
    };
    const decisions = await world.limiter({ store }).checkEach(users(1_000, 'tight'));
    expect(decisions).toHaveLength(1_000);
    expect(most).toBe(MAX_TERMS_AT_ONCE);
  });

  it('refuses more limits than an answer can tell of, and counts nothing', async () => {
    const also = users(4, 'tight');
    const checks = users(1_000, 'tight').map((one) => ({ ...one, also }));
    await expect(world.limiter().checkEach(checks)).rejects.toThrow(TooManyTerms);
    expect(world.store.asks).toEqual([]);
  });
});

describe('an observer', () => {
  it('sees every decision once, in order', async () => {
    const seen: (readonly [string, boolean])[] = [];
    const observer = {
      decided: ({ identifier }: Check, { allowed }: Decision) => void seen.push([identifier, allowed]),
    };
    const limiter = world.limiter({ observer });
    decide(limiter, check({ identifier: 'a', cost: 5 }));
    decide(limiter, check({ identifier: 'a' }));
    await limiter.checkEach([check({ identifier: 'b' }), check({ identifier: 'c', roles: ['admin'] })]);
    await limiter.checkTogether([check({ identifier: 'd' }), check({ identifier: 'a' })]);
    expect(seen).toEqual([
      ['a', true],
      ['a', false],
      ['b', true],
      ['c', true],
      ['d', false],
      ['a', false],
    ]);
  });
});
