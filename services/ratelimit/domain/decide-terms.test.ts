import { describe, expect, it } from 'vitest';
import { decideTerms } from './decide-terms.ts';
import type { LimitModel } from './limit-model.ts';
import { newModel } from './new-model.ts';
import { limitOf } from './testing-limit.ts';

const T = 1_700_000_000_000_000;

/** Asks for one unit of each limit, in a key each; tells which have room and what remains of each after that. */
function scene(...limits: readonly (readonly [limit: number, shadow: boolean])[]) {
  const terms = limits.map(([limit, shadow], at) => ({
    key: `${at}`,
    cost: 1,
    limit: limitOf({ limit, windowMicros: 60_000_000, shadow }),
  }));
  const models: LimitModel[] = terms.map(({ limit }) => newModel(limit.algorithm));
  const remaining = () => terms.map(({ limit }, at) => models[at]?.look(T, 1, limit, '').remaining);
  const ask = (peek = false) =>
    decideTerms(T, { terms, peek, lease: '' }, models).map(({ allowed }) => allowed);
  return { ask, remaining };
}

describe('decideTerms', () => {
  it('takes the enforced together or not at all', () => {
    const { ask, remaining } = scene([1, false], [3, false]);
    expect([ask(), remaining()]).toEqual([
      [true, true],
      [0, 2],
    ]);
    expect([ask(), remaining()]).toEqual([
      [false, true],
      [0, 2],
    ]);
  });

  it('takes the shadows together, and only with the enforced', () => {
    const { ask, remaining } = scene([3, false], [1, true], [9, true]);
    expect([ask(), remaining()]).toEqual([
      [true, true, true],
      [2, 0, 8],
    ]);
    expect([ask(), remaining()]).toEqual([
      [true, false, true],
      [1, 0, 8],
    ]);
    const denied = scene([1, false], [9, true]);
    denied.ask();
    expect([denied.ask(), denied.remaining()]).toEqual([
      [false, true],
      [0, 8],
    ]);
  });

  it('takes shadows that stand alone', () => {
    const { ask, remaining } = scene([3, true]);
    expect([ask(), remaining()]).toEqual([[true], [2]]);
  });

  it('takes nothing for a peek', () => {
    const { ask, remaining } = scene([3, false], [3, true]);
    expect([ask(true), remaining()]).toEqual([
      [true, true],
      [3, 3],
    ]);
  });
});
