import { describe, expect, it } from 'vitest';
import type { Algorithm } from './domain/algorithm.ts';
import type { Check } from './domain/check.ts';
import { DirectStore } from './domain/decision-store.ts';
import { DEFAULT_RULES } from './domain/default-rules.ts';
import type { LimitDefinition } from './domain/limit.ts';
import { Limiter } from './domain/limiter.ts';
import type { RuleDefinition } from './domain/rule.ts';
import { RuleBook } from './domain/rule-book.ts';
import { MemoryLiveRules } from './storage/memory-live-rules.ts';
import { MemoryStore } from './storage/memory-store.ts';

const MINUTE_MICROS = 60_000_000;
const LOGIN: Check = {
  endpoint: 'auth_login',
  identifier: 'user:1',
  cost: 1,
  roles: [],
  also: [],
  refundable: false,
};

/** A limiter whose rule for auth_login can be edited, and whose clock stands still. */
function edited() {
  // In the middle of a minute, so that no fixed window ends nearby.
  let now = 1_700_000_010_000_000;
  const rules = new RuleBook({ base: DEFAULT_RULES, origin: 'BUILT_IN', live: new MemoryLiveRules() });
  const clock = () => now;
  const store = new MemoryStore({ clock });
  const limiter = new Limiter({
    rules: () => rules.current,
    store: new DirectStore(store),
    enabled: true,
    clock,
  });
  const change = async (fields: Partial<RuleDefinition>) =>
    await rules.update('auth_login', (before) => ({ ...before, ...fields }));
  return {
    change,
    limits: async (...limits: LimitDefinition[]) => await change({ limits }),
    check: async (check: Partial<Check> = {}) => await limiter.check({ ...LOGIN, ...check }),
    async take(times: number) {
      let allowed = 0;
      for (let time = 0; time < times; time += 1) if ((await limiter.check(LOGIN)).allowed) allowed += 1;
      return allowed;
    },
    pass: (micros: number) => {
      now += micros;
    },
    [Symbol.dispose]: () => store[Symbol.dispose](),
  };
}

describe.each<Algorithm>(['SLIDING_WINDOW_LOG', 'SLIDING_WINDOW_COUNTER', 'TOKEN_BUCKET', 'FIXED_WINDOW'])(
  'what was consumed of a %s',
  (algorithm) => {
    const limit = (units: number, windowMicros = MINUTE_MICROS): LimitDefinition => ({
      algorithm,
      limit: units,
      windowMicros,
    });

    it('stays consumed when the limit is raised', async () => {
      using limiter = edited();
      await limiter.limits(limit(5));
      expect(await limiter.take(6)).toBe(5);
      await limiter.limits(limit(8));
      expect(await limiter.take(9)).toBe(3);
    });

    it('stays consumed when the limit is lowered', async () => {
      using limiter = edited();
      await limiter.limits(limit(10));
      expect(await limiter.take(6)).toBe(6);
      await limiter.limits(limit(6));
      expect(await limiter.take(1)).toBe(0);
    });

    it('stays consumed while the rule is switched off, and where another limit joins it', async () => {
      using limiter = edited();
      await limiter.limits(limit(5));
      expect(await limiter.take(4)).toBe(4);
      await limiter.change({ mode: 'DISABLED' });
      expect(await limiter.take(100)).toBe(100);
      await limiter.change({ mode: 'ENFORCED' });
      await limiter.limits(limit(5), { ...limit(100), name: 'other' });
      expect(await limiter.take(5)).toBe(1);
    });

    it('is not touched by shadow mode', async () => {
      using limiter = edited();
      await limiter.limits(limit(5));
      expect(await limiter.take(4)).toBe(4);
      await limiter.change({ mode: 'SHADOW' });
      expect(await limiter.take(20)).toBe(20);
      expect((await limiter.check()).shadowDenied).toBe(true);
      await limiter.change({ mode: 'ENFORCED' });
      expect(await limiter.take(5)).toBe(1);
    });
  },
);

describe('an edit', () => {
  it('keeps units of a log for as long as the longer window holds them', async () => {
    using limiter = edited();
    await limiter.limits({ limit: 5, windowMicros: MINUTE_MICROS });
    expect(await limiter.take(5)).toBe(5);
    await limiter.limits({ limit: 5, windowMicros: 2 * MINUTE_MICROS });
    limiter.pass(MINUTE_MICROS + 1);
    expect(await limiter.take(1)).toBe(0);
    limiter.pass(MINUTE_MICROS);
    expect(await limiter.take(6)).toBe(5);
  });

  it('of a limit’s name begins a count of its own', async () => {
    using limiter = edited();
    expect(await limiter.take(6)).toBe(5);
    await limiter.limits({ name: 'renamed', limit: 5, windowMicros: MINUTE_MICROS });
    expect(await limiter.take(6)).toBe(5);
  });

  it('gives single identifiers other limits, which go on from what they consumed', async () => {
    using limiter = edited();
    expect(await limiter.take(6)).toBe(5);
    await limiter.change({
      overrides: [
        { identifier: 'user:*', limits: [{ limit: 7, windowMicros: MINUTE_MICROS }] },
        { identifier: 'user:2', mode: 'UNLIMITED' },
      ],
    });
    expect(await limiter.take(9)).toBe(2);
    expect(await limiter.check({ identifier: 'user:2' })).toMatchObject({
      allowed: true,
      source: 'UNLIMITED',
    });
    expect((await limiter.check({ identifier: 'ip:1' })).limit?.limit).toBe(5);
  });
});
