import { describe, expect, it, onTestFinished } from 'vitest';
import type { CheckTerm } from '../domain/check-plan.ts';
import type { Taken } from '../domain/limit-store.ts';
import { LocalFallback } from './local-fallback.ts';
import { askFor, MINUTE_MICROS, termOf } from './testing-terms.ts';

const T = 1_700_000_000_000_000;
const RETRY_MICROS = 1_000_000;

function fallbackAt(processes = 1) {
  const world = { now: T, processes };
  const fallback = new LocalFallback({
    processes: () => world.processes,
    laneOf: () => '',
    retryMicros: RETRY_MICROS,
    clock: () => world.now,
  });
  onTestFinished(() => fallback[Symbol.dispose]());
  const ask = (...terms: readonly CheckTerm[]) => fallback.decide(askFor(terms), true);
  const owed = () => fallback.debts.collect('', 1_000)?.entries.map(({ key, debt }) => [key, ...debt]) ?? [];
  return { world, fallback, ask, owed };
}

/** What a receipt says was taken of a term. */
function takenOf({ key, limit, cost }: CheckTerm, resetMicros: number): Taken {
  return { key, limit, cost, resetMicros };
}

const ROOM = { allowed: true, remaining: 3, resetMicros: T, retryAfterMicros: 0 };
const DENIAL = {
  allowed: false,
  remaining: 0,
  resetMicros: T + RETRY_MICROS,
  retryAfterMicros: RETRY_MICROS,
};

describe('LocalFallback, by the policy of each term’s rule', () => {
  it('FAIL_OPEN: has room, and counts nothing', () => {
    const { ask, owed } = fallbackAt();
    for (let time = 0; time < 9; time += 1) {
      expect(ask(termOf('FAIL_OPEN', 'open', { cost: 3 }))).toEqual({
        source: 'FALLBACK_OPEN',
        states: [ROOM],
      });
    }
    expect(owed()).toEqual([]);
  });

  it('FAIL_CLOSED: denies, for a second', () => {
    const { ask } = fallbackAt();
    expect(ask(termOf('FAIL_CLOSED', 'closed'))).toEqual({ source: 'FALLBACK_CLOSED', states: [DENIAL] });
  });

  it('FAIL_LOCAL: counts here, and owes what was taken', () => {
    const { world, ask, owed } = fallbackAt();
    const term = termOf('FAIL_LOCAL', 'local', { cost: 2 });
    expect(ask(term)).toEqual({
      source: 'FALLBACK_LOCAL',
      states: [{ allowed: true, remaining: 1, resetMicros: T + MINUTE_MICROS, retryAfterMicros: 0 }],
    });
    world.now += 1_000;
    expect(ask(term).states).toEqual([
      {
        allowed: false,
        remaining: 1,
        resetMicros: T + MINUTE_MICROS,
        retryAfterMicros: MINUTE_MICROS - 1_000,
      },
    ]);
    expect(owed()).toEqual([['local', 1_000, 2]]);
  });

  it('one enforced FAIL_CLOSED term denies all, and nothing is counted', () => {
    const { ask, owed } = fallbackAt();
    const local = termOf('FAIL_LOCAL', 'local');
    expect(ask(local, termOf('FAIL_CLOSED', 'closed'), termOf('FAIL_OPEN', 'open'))).toEqual({
      source: 'FALLBACK_CLOSED',
      states: [ROOM, DENIAL, ROOM],
    });
    expect(owed()).toEqual([]);
    expect(ask(local).states[0]?.remaining).toBe(2);
  });

  it('FAIL_LOCAL terms are taken together or not at all', () => {
    const { ask, owed } = fallbackAt();
    const [narrow, wide] = [termOf('FAIL_LOCAL', 'narrow', { limit: 1 }), termOf('FAIL_LOCAL', 'wide')];
    expect(ask(narrow, termOf('FAIL_OPEN', 'open'), wide).source).toBe('FALLBACK_LOCAL');
    const denied = ask(narrow, termOf('FAIL_OPEN', 'open'), wide);
    expect(denied.states.map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
      [false, 0],
      [true, 3],
      [true, 2],
    ]);
    expect(owed()).toEqual([
      ['narrow', 0, 1],
      ['wide', 0, 1],
    ]);
  });

  it('shadow terms have room, whatever the policy, and nothing is counted for them', () => {
    const { ask, owed } = fallbackAt();
    const shadows = (['FAIL_LOCAL', 'FAIL_CLOSED', 'FAIL_OPEN'] as const).map((policy) =>
      termOf(policy, policy, { shadow: true }),
    );
    expect(ask(...shadows)).toEqual({ source: 'FALLBACK_OPEN', states: [ROOM, ROOM, ROOM] });
    expect(ask(termOf('FAIL_LOCAL', 'local'), ...shadows).source).toBe('FALLBACK_LOCAL');
    expect(owed()).toEqual([['local', 0, 1]]);
  });

  it('a peek takes nothing and owes nothing', () => {
    const { fallback, owed } = fallbackAt();
    const term = termOf('FAIL_LOCAL', 'local');
    for (let time = 0; time < 5; time += 1) {
      expect(fallback.decide(askFor([term], { peek: true }), true).states[0]).toMatchObject({
        allowed: true,
        remaining: 3,
      });
    }
    expect(owed()).toEqual([]);
  });

  it('owes nothing for a key that the shared store can’t use', () => {
    const { fallback, owed } = fallbackAt();
    expect(fallback.decide(askFor([termOf('FAIL_LOCAL', 'foreign')]), false).source).toBe('FALLBACK_LOCAL');
    expect(owed()).toEqual([]);
  });
});

describe('LocalFallback among several processes', () => {
  it('enforces its share of the limit, and owes what it took', () => {
    const { ask, owed } = fallbackAt(3);
    const term = termOf('FAIL_LOCAL', 'shared', { limit: 7 });
    expect([1, 2, 3].map(() => ask(term).states[0]?.allowed)).toEqual([true, true, false]);
    expect(owed()).toEqual([['shared', 0, 2]]);
  });

  it('denies a cost that only the whole limit ever has, for a window, and takes nothing of the others', () => {
    const { ask, owed } = fallbackAt(2);
    const large = termOf('FAIL_LOCAL', 'large', { limit: 10, cost: 6 });
    const small = termOf('FAIL_LOCAL', 'small', { limit: 10, cost: 5 });
    expect(ask(large, small)).toEqual({
      source: 'FALLBACK_LOCAL',
      states: [
        { allowed: false, remaining: 5, resetMicros: T, retryAfterMicros: MINUTE_MICROS },
        { allowed: true, remaining: 5, resetMicros: T, retryAfterMicros: 0 },
      ],
    });
    expect(owed()).toEqual([]);
  });

  it('goes on with what was consumed when the number of processes changes', () => {
    const { world, ask } = fallbackAt(1);
    const term = termOf('FAIL_LOCAL', 'shared', { limit: 8 });
    for (let time = 0; time < 3; time += 1) ask(term);
    world.processes = 2;
    expect([1, 2].map(() => ask(term).states[0]?.allowed)).toEqual([true, false]);
  });

  it('keeps its count after the debt is settled: a store that comes and goes gives no fresh share', () => {
    const { ask, owed } = fallbackAt();
    const term = termOf('FAIL_LOCAL', 'flapping', { cost: 2 });
    ask(term);
    owed();
    expect(ask(term).states[0]?.allowed).toBe(false);
  });
});

describe('LocalFallback, giving back', () => {
  it('makes room here and lessens the debt, once', () => {
    const { fallback, ask, owed } = fallbackAt();
    const term = termOf('FAIL_LOCAL', 'local', { cost: 2 });
    const [state] = fallback.decide(askFor([term], { lease: 'one' }), true).states;
    const part = takenOf(term, state?.resetMicros ?? 0);
    expect(fallback.refund('one', [part])).toEqual({ units: [2], owed: [2] });
    expect(fallback.refund('one', [part])).toEqual({ units: [0], owed: [0] });
    expect(ask(term).states[0]?.remaining).toBe(1);
    expect(owed()).toEqual([['local', 0, 2]]);
  });

  it('finds a bucket’s take by the share that it was taken of', () => {
    const { fallback, world } = fallbackAt(2);
    const term = termOf('FAIL_LOCAL', 'bucket', { algorithm: 'TOKEN_BUCKET', limit: 8, cost: 4 });
    const [state] = fallback.decide(askFor([term], { lease: 'one' }), true).states;
    world.now += 1_000;
    const part = takenOf(term, state?.resetMicros ?? 0);
    expect(fallback.refund('one', [part]).units).toEqual([4]);
  });

  it('forgets counts and debts of a key that is reset', () => {
    const { fallback, ask, owed } = fallbackAt();
    const term = termOf('FAIL_LOCAL', 'local', { cost: 3 });
    ask(term);
    expect(fallback.reset(['local', 'other'])).toBe(1);
    expect(owed()).toEqual([]);
    expect(ask(term).states[0]?.allowed).toBe(true);
  });
});
