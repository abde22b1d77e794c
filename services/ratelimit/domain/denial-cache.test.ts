import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { DenialCache } from './denial-cache.ts';
import { check, full, MINUTE, rulesOf, SECOND, state, T, termsOf } from './testing-decisions.ts';

const rules = rulesOf({
  leases: { limits: [{ algorithm: 'CONCURRENCY', limit: 5, windowMicros: MINUTE }] },
});

let now = T;
let cache = new DenialCache(() => now);

function term(identifier = 'user:1', cost = 1, of = rules) {
  const [first] = termsOf(of, check({ identifier, cost }));
  if (first === undefined) throw new Error('the rule has a limit');
  return first;
}

beforeEach(() => {
  now = T;
  cache = new DenialCache(() => now);
  cache.on = true;
  now = T + 1;
});

describe('DenialCache', () => {
  it('answers a key that was denied until it has room, by what is left to wait', () => {
    cache.keep(term(), full(SECOND), now);
    now += 400_000;
    expect(cache.find(term())).toEqual({ ...full(), retryAfterMicros: 600_000 });
    expect(cache.find(term('user:2'))).toBeUndefined();
    now += 599_999;
    expect(cache.find(term())).toMatchObject({ retryAfterMicros: 1 });
    now += 1;
    expect(cache.find(term())).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  it('counts from when the store was asked, not from when it answered', () => {
    const asked = now;
    now += 300_000;
    cache.keep(term(), full(SECOND), asked);
    expect(cache.find(term())).toMatchObject({ retryAfterMicros: 700_000 });
  });

  it('answers the same cost and higher ones; a lower one might have room', () => {
    cache.keep(term('user:1', 3), full(), now);
    expect(cache.find(term('user:1', 3))).toBeDefined();
    expect(cache.find(term('user:1', 4))).toBeDefined();
    expect(cache.find(term('user:1', 2))).toBeUndefined();
  });

  it('forgets denials by rules that hold no more', () => {
    cache.keep(term(), full(), now);
    expect(cache.find(term('user:1', 1, rulesOf({})))).toBeUndefined();
  });

  it('keeps nothing of leases, which may be given back at any moment', () => {
    const [lease] = termsOf(rules, check({ endpoint: 'leases' }));
    if (lease === undefined) throw new Error('the rule has a limit');
    cache.keep(lease, full(), now);
    expect(cache.size).toBe(0);
  });

  it('keeps and answers nothing while it is off', () => {
    cache.keep(term(), full(), now);
    cache.on = false;
    expect(cache.find(term())).toBeUndefined();
    cache.keep(term(), full(), now + 1);
    now += 2;
    cache.on = true;
    expect(cache.find(term())).toBeUndefined();
  });

  it.each<[string, () => void]>([
    ['a key is told to have room', () => cache.forget([term().key])],
    ['everything is dropped', () => cache.clear()],
    [
      'it was off for a moment',
      () => {
        cache.on = false;
        cache.on = true;
      },
    ],
  ])('voids what the store was asked before %s, whenever it answers', (_, makeRoom) => {
    cache.keep(term(), full(), now);
    const asked = now;
    now += 10;
    makeRoom();
    expect(cache.find(term())).toBeUndefined();
    now += 10;
    cache.keep(term(), full(), asked);
    expect(cache.find(term())).toBeUndefined();
    cache.keep(term(), full(), now);
    expect(cache.find(term())).toBeDefined();
  });

  it('forgets only the keys it is told', () => {
    cache.keep(term('user:1'), full(), now);
    cache.keep(term('user:2'), full(), now);
    cache.forget([term('user:1').key, 'ratelimit:unheard:{of}']);
    expect(cache.find(term('user:1'))).toBeUndefined();
    expect(cache.find(term('user:2'))).toBeDefined();
  });

  it('gives the place of the oldest to a new key', () => {
    cache = new DenialCache(() => now, 3);
    cache.on = true;
    now += 1;
    for (const identifier of ['a', 'b', 'c']) cache.keep(term(identifier), full(), now);
    cache.keep(term('a'), full(), now);
    cache.keep(term('d'), full(), now);
    expect(cache.size).toBe(3);
    const held = ['a', 'b', 'c', 'd'].filter((identifier) => cache.find(term(identifier)) !== undefined);
    expect(held).toEqual(['a', 'c', 'd']);
  });

  it('voids late answers also about keys that it was told of too many others since', () => {
    cache = new DenialCache(() => now, 2);
    cache.on = true;
    now += 1;
    const asked = now;
    for (const key of [term('a').key, 'x', 'y', 'z']) {
      now += 1;
      cache.forget([key]);
    }
    cache.keep(term('a'), full(), asked);
    expect(cache.find(term('a'))).toBeUndefined();
  });

  it('denies nothing that a limit with the same clock would allow', () => {
    // A fixed window of its own making: `used` of 5 units since the last reset, room from `freeAt` on.
    const step = fc.record({
      kind: fc.constantFrom('check', 'reset', 'wait', 'lateAnswer'),
      cost: fc.integer({ min: 1, max: 5 }),
      micros: fc.integer({ min: 1, max: 400 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        now = T;
        cache = new DenialCache(() => now, 10);
        cache.on = true;
        now += 1;
        let used = 0;
        let freeAt = now;
        let late: { readonly cost: number; readonly retry: number; readonly asked: number } | undefined;
        const ask = (cost: number) => {
          if (now >= freeAt) [used, freeAt] = [0, now + 500];
          if (used + cost > 5) return freeAt - now;
          used += cost;
          return 0;
        };
        for (const { kind, cost, micros } of steps) {
          if (kind === 'wait') now += micros;
          else if (kind === 'reset') {
            [used, freeAt] = [0, now];
            cache.forget([term().key]);
            now += 1;
          } else if (kind === 'lateAnswer') {
            if (late !== undefined) cache.keep(term('user:1', late.cost), full(late.retry), late.asked);
            late = undefined;
          } else {
            const known = cache.find(term('user:1', cost));
            const asked = now;
            const retry = ask(cost);
            if (known !== undefined) {
              expect(retry).toBeGreaterThan(0);
              expect(known.retryAfterMicros).toBeLessThanOrEqual(retry);
            } else if (retry > 0) {
              if (late === undefined) late = { cost, retry, asked };
              else cache.keep(term('user:1', cost), full(retry), asked);
            }
            now += 1;
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('keeps what the store said besides', () => {
    cache.keep(
      term('user:1', 4),
      state({ allowed: false, remaining: 3, resetMicros: T + 9, retryAfterMicros: 50 }),
      now,
    );
    expect(cache.find(term('user:1', 4))).toEqual({
      allowed: false,
      remaining: 3,
      resetMicros: T + 9,
      retryAfterMicros: 50,
    });
  });
});
