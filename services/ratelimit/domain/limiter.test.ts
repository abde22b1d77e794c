import { describe, expect, it } from 'vitest';
import type { Decision } from './decision.ts';
import { DirectStore } from './decision-store.ts';
import { DEFAULT_RULES } from './default-rules.ts';
import { CostExceedsLimit } from './errors.ts';
import type { LimitState, LimitStore } from './limit-store.ts';
import { type Check, Limiter } from './limiter.ts';
import { RuleSet } from './rule-set.ts';
import { SlidingWindowLog } from './sliding-window-log.ts';

const T = 1_700_000_000_000_000;

/** The reference model by key, at one moment. */
class ModelStore implements LimitStore {
  readonly source = 'MEMORY';
  readonly logs = new Map<string, SlidingWindowLog>();

  take(key: string, cost: number, limit: number, windowMicros: number): LimitState {
    const log = this.logs.get(key) ?? new SlidingWindowLog();
    this.logs.set(key, log);
    return log.take(T, cost, limit, windowMicros);
  }
}

function limiterWith(store: LimitStore, enabled = true): Limiter {
  return new Limiter({
    rules: new RuleSet(DEFAULT_RULES),
    store: new DirectStore(store),
    enabled,
    clock: () => T,
  });
}

function check(change: Partial<Check> = {}): Check {
  return { endpoint: 'auth_login', identifier: 'user:1', cost: 0, roles: [], ...change };
}

describe('Limiter', () => {
  it('takes a cost of 0 for 1, and explains its decision', () => {
    const limiter = limiterWith(new ModelStore());
    expect(limiter.check(check())).toEqual({
      allowed: true,
      limit: 5,
      remaining: 4,
      resetMicros: T + 60_000_000,
      retryAfterMicros: 0,
      bypassed: false,
      rule: limiter.rules.ruleFor('auth_login'),
      source: 'MEMORY',
    });
  });

  it('allows the limit and denies the next, by identifier and by endpoint', () => {
    const limiter = limiterWith(new ModelStore());
    const allowed = Array.from({ length: 6 }, () => (limiter.check(check()) as Decision).allowed);
    expect(allowed).toEqual([true, true, true, true, true, false]);
    expect(limiter.check(check({ identifier: 'user:2' }))).toMatchObject({ remaining: 4 });
    expect(limiter.check(check({ endpoint: 'auth_mfa' }))).toMatchObject({ remaining: 4 });
  });

  it('counts endpoints without a rule each by itself, by api_default', () => {
    const limiter = limiterWith(new ModelStore());
    expect(limiter.check(check({ endpoint: 'orders', cost: 100 }))).toMatchObject({
      allowed: true,
      remaining: 0,
    });
    expect(limiter.check(check({ endpoint: 'orders' }))).toMatchObject({ allowed: false, limit: 100 });
    expect(limiter.check(check({ endpoint: 'quotes' }))).toMatchObject({ allowed: true, remaining: 99 });
    expect(limiter.check(check({ endpoint: 'api_default' }))).toMatchObject({ remaining: 99 });
  });

  it('refuses a cost above the limit before anything is touched', () => {
    const store = new ModelStore();
    const limiter = limiterWith(store);
    const asking = () => limiter.check(check({ cost: 6 }));
    expect(asking).toThrow(CostExceedsLimit);
    expect(asking).toThrow(expect.objectContaining({ cost: 6, limit: 5 }));
    expect(() => limiter.check(check({ cost: 6, roles: ['admin'] }))).toThrow(CostExceedsLimit);
    expect(store.logs.size).toBe(0);
  });

  it('lets a bypass role through without counting', () => {
    const store = new ModelStore();
    const limiter = limiterWith(store);
    expect(limiter.check(check({ roles: ['trader', 'admin'] }))).toMatchObject({
      allowed: true,
      bypassed: true,
      limit: 5,
      remaining: 5,
      resetMicros: T,
      source: 'BYPASS',
    });
    expect(store.logs.size).toBe(0);
    expect(limiter.check(check({ roles: ['administrator', 'ADMIN'] }))).toMatchObject({ bypassed: false });
  });

  it('allows everything and counts nothing while switched off', () => {
    const store = new ModelStore();
    const off = limiterWith(store, false);
    const expected = { allowed: true, limit: 0, remaining: 0, bypassed: false, source: 'DISABLED' };
    expect(off.check(check())).toMatchObject(expected);
    expect(off.check(check({ cost: 6 }))).toMatchObject(expected);
    expect(store.logs.size).toBe(0);
  });

  it('answers as the store does: at once, later, or with its error', async () => {
    expect(limiterWith(new ModelStore()).check(check())).not.toBeInstanceOf(Promise);

    const state: LimitState = { allowed: true, remaining: 1, resetMicros: T, retryAfterMicros: 0 };
    const later = limiterWith({ source: 'REDIS', take: async () => state }).check(check());
    expect(later).toBeInstanceOf(Promise);
    expect(await later).toMatchObject({ remaining: 1, source: 'REDIS' });

    const failing = limiterWith({ source: 'REDIS', take: () => Promise.reject(new Error('gone')) });
    await expect(failing.check(check())).rejects.toThrow('gone');
  });
});
