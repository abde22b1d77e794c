import { describe, expect, it } from 'vitest';
import { decided, decidingOutcome, isAllowed, uncounted } from './decision.ts';
import { full, MINUTE, rulesOf, SECOND, state, T, termsOf } from './testing-decisions.ts';

const limit = (name: string, shadow = false) => ({ name, limit: 5, windowMicros: MINUTE, shadow });
const rules = rulesOf({ auth_login: { limits: [limit('a'), limit('b'), limit('s', true)] } });
const terms = termsOf(rules);
const [a, b, s] = terms as [(typeof terms)[0], (typeof terms)[0], (typeof terms)[0]];
const { rule } = rules.ruleFor('auth_login');

describe('decided', () => {
  it('takes over what a single limit says', () => {
    expect(decided([a], [state({ remaining: 3 })], 'MEMORY', 'receipt', false)).toEqual({
      allowed: true,
      remaining: 3,
      resetMicros: T + MINUTE,
      retryAfterMicros: 0,
      source: 'MEMORY',
      rule,
      limit: a.limit,
      bypassed: false,
      shadowDenied: false,
      outcomes: [{ term: a, state: state({ remaining: 3 }) }],
      receipt: 'receipt',
    });
    expect(decided([a], [full(7)], 'CACHE', '', false)).toMatchObject({
      allowed: false,
      retryAfterMicros: 7,
    });
  });

  it('tells of the limit with the least left, where all had room', () => {
    const { limit: deciding, remaining } = decided(
      [a, b],
      [state({ remaining: 3 }), state({ remaining: 2 })],
      'REDIS',
      '',
      false,
    );
    expect([deciding?.name, remaining]).toEqual(['b', 2]);
  });

  it('tells of the limit that takes longest to have room, where it was denied', () => {
    const three = termsOf(rulesOf({ auth_login: { limits: [limit('a'), limit('b'), limit('c')] } }));
    const states = [full(SECOND), full(3 * SECOND), state({ remaining: 0 })];
    const decision = decided(three, states, 'REDIS', '', false);
    expect(decision).toMatchObject({ allowed: false, retryAfterMicros: 3 * SECOND, limit: { name: 'b' } });
    expect(decision.outcomes.map(({ state: { allowed } }) => allowed)).toEqual([false, false, true]);
  });

  it('lets no shadow limit decide, and tells that it would have denied', () => {
    expect(decided([a, s], [state({ remaining: 4 }), full()], 'REDIS', '', false)).toMatchObject({
      allowed: true,
      retryAfterMicros: 0,
      remaining: 4,
      limit: { name: 'a' },
      shadowDenied: true,
    });
    expect(decided([s, a], [state(), full()], 'REDIS', '', false)).toMatchObject({
      allowed: false,
      limit: { name: 'a' },
      shadowDenied: false,
    });
  });

  it('is allowed where there are only shadow limits', () => {
    expect(decided([s], [full()], 'REDIS', '', false)).toMatchObject({
      allowed: true,
      retryAfterMicros: 0,
      limit: { name: 's' },
      shadowDenied: true,
    });
  });

  it('passes on that a shadow limit which was not asked would have denied', () => {
    expect(decided([a], [state()], 'REDIS', '', true)).toMatchObject({ allowed: true, shadowDenied: true });
  });
});

describe('decidingOutcome', () => {
  it('is the outcome that decided() tells of, of the same limit on two keys too', () => {
    const outcomes = [
      { term: a, state: state({ remaining: 2 }) },
      { term: { ...a, identifier: 'ip:1' }, state: state({ remaining: 1 }) },
    ];
    expect(decidingOutcome(outcomes)?.term.identifier).toBe('ip:1');
    expect(decidingOutcome([])).toBeUndefined();
  });
});

describe('isAllowed', () => {
  it('asks the enforced limits only', () => {
    expect(isAllowed([a, b, s], [state(), state(), full()])).toBe(true);
    expect(isAllowed([a, b, s], [state(), full(), state()])).toBe(false);
    expect(isAllowed([s], [full()])).toBe(true);
    expect(isAllowed([], [])).toBe(true);
  });
});

describe('uncounted', () => {
  it('is allowed, with the whole limit there now', () => {
    expect(uncounted(rule, a.limit, T, 'BYPASS')).toMatchObject({
      allowed: true,
      bypassed: true,
      remaining: 5,
      resetMicros: T,
      retryAfterMicros: 0,
      outcomes: [],
      receipt: '',
    });
    expect(uncounted(rule, undefined, T, 'UNLIMITED')).toMatchObject({ bypassed: false, remaining: 0 });
  });
});
