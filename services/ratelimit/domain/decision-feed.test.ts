import { afterEach, describe, expect, it } from 'vitest';
import { decided, uncounted } from './decision.ts';
import { DecisionFeed } from './decision-feed.ts';
import { DecisionTail } from './decision-tail.ts';
import { check, decisionOn, full, MINUTE, rulesOf, state, T, termsOf } from './testing-decisions.ts';
import { TopKeys } from './top-keys.ts';

let keys = new TopKeys();
let tail = new DecisionTail();
let feed = new DecisionFeed(keys, tail);
afterEach(() => {
  keys[Symbol.dispose]();
  keys = new TopKeys();
  tail = new DecisionTail();
  feed = new DecisionFeed(keys, tail);
});

/** Keys and how often they were counted, by name. */
function counted(order: 'denied' | 'checked'): Record<string, number> {
  const { entries } = keys.figures()[order];
  return Object.fromEntries(entries.map((each) => [`${each.endpoint} ${each.identifier}`, each.count]));
}

const limit = (name: string, shadow = false) => ({ name, limit: 5, windowMicros: MINUTE, shadow });

describe('DecisionFeed', () => {
  it('counts each check of a key, and each denial', () => {
    feed.decided(check(), decisionOn(check(), state()));
    feed.decided(check(), decisionOn(check(), full()));
    expect(counted('checked')).toEqual({ 'auth_login user:1': 2 });
    expect(counted('denied')).toEqual({ 'auth_login user:1': 1 });
  });

  it('counts every key of a check, and as denied those that had no room', () => {
    const asked = check({
      also: [
        { endpoint: '', identifier: 'ip:1', cost: 0 },
        { endpoint: 'all', identifier: 'user:1', cost: 0 },
      ],
    });
    feed.decided(asked, decisionOn(asked, state(), full(), state()));
    expect(counted('checked')).toEqual({ 'auth_login user:1': 1, 'auth_login ip:1': 1, 'all user:1': 1 });
    expect(counted('denied')).toEqual({ 'auth_login ip:1': 1 });
  });

  it('counts a key once however many limits it has', () => {
    const terms = termsOf(rulesOf({ auth_login: { limits: [limit('a'), limit('b'), limit('c')] } }));
    feed.decided(check(), decided(terms, [full(), state(), full()], 'REDIS', '', false));
    expect(counted('checked')).toEqual({ 'auth_login user:1': 1 });
    expect(counted('denied')).toEqual({ 'auth_login user:1': 1 });
  });

  it('counts no denial by a shadow limit', () => {
    const terms = termsOf(rulesOf({ auth_login: { limits: [limit('a'), limit('b', true)] } }));
    feed.decided(check(), decided(terms, [state(), full()], 'REDIS', '', false));
    expect(counted('checked')).toEqual({ 'auth_login user:1': 1 });
    expect(counted('denied')).toEqual({});
  });

  it.each(['BYPASS', 'UNLIMITED', 'DISABLED'] as const)(
    'counts nothing of what was let through as %s',
    (source) => {
      const { rule } = rulesOf({}).ruleFor('api_default');
      feed.decided(check(), uncounted(rule, undefined, T, source));
      expect(counted('checked')).toEqual({});
    },
  );

  it('shows every decision to those who watch', async () => {
    const abort = new AbortController();
    const filter = { endpoint: '', identifierPrefix: '', deniedOnly: false, sampleRate: 1 };
    const next = tail.watch(filter, abort.signal).next();
    const decision = decisionOn(check(), full());
    feed.decided(check(), decision);
    expect((await next).value).toMatchObject({ identifier: 'user:1', decision });
    abort.abort();
  });
});
