import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALGORITHMS } from '../domain/algorithm.ts';
import type { LimitDefinition } from '../domain/limit.ts';
import { newModel } from '../domain/new-model.ts';
import { limitOf } from '../domain/testing-limit.ts';
import { Demand, DemandBudget } from './demand.ts';
import { suggestLimit } from './suggest-limit.ts';

interface Ask {
  readonly caller: string;
  readonly at: number;
  readonly hold: number;
}

const WINDOW = 10_000;
const START = 1_700_000_000_000_000;

const arbitraryAsks = fc
  .array(fc.record({ caller: fc.constantFrom('a', 'b'), at: fc.nat(60_000), hold: fc.nat(15_000) }), {
    minLength: 1,
    maxLength: 60,
  })
  .map((asks) => asks.sort((one, other) => one.at - other.at));

function demandOf(asks: readonly Ask[], leases: boolean): Demand {
  const demand = new Demand(new DemandBudget(), leases);
  for (const { caller, at, hold } of asks) demand.add(caller, START + at, 1, hold);
  return demand;
}

/** Each request asked of a model of its caller; leases given back when they are over. */
function deniedNaively(definition: LimitDefinition, asks: readonly Ask[]): number {
  const limit = limitOf(definition);
  const models = new Map<string, ReturnType<typeof newModel>>();
  const held: { caller: string; end: number; lease: string }[] = [];
  let denied = 0;
  for (const [index, { caller, at, hold }] of asks.entries()) {
    const now = START + at;
    for (const { caller: holder, lease, end } of held) {
      if (end <= now) models.get(holder)?.refund(now, 1, 0, limit, lease);
    }
    const model = models.get(caller) ?? newModel(limit.algorithm);
    models.set(caller, model);
    const lease = `${index}`;
    if (!model.look(now, 1, limit, lease).allowed) denied += 1;
    else {
      model.take(now, 1, limit, lease);
      held.push({ caller, end: now + hold, lease });
    }
  }
  return denied;
}

describe('suggestLimit', () => {
  it.each(ALGORITHMS)(
    'finds the smallest limit of %s that keeps the ratio, as trying each does',
    (algorithm) => {
      const leases = algorithm === 'CONCURRENCY';
      fc.assert(
        fc.property(arbitraryAsks, fc.constantFrom(0, 0.1, 0.4), (asks, ratio) => {
          const definition = { algorithm, limit: 3, windowMicros: WINDOW };
          const { suggested, below, withoutDenials } = suggestLimit(
            limitOf(definition),
            demandOf(asks, leases),
            ratio,
          );
          const denied = Array.from({ length: 61 }, (_, limit) =>
            limit === 0 ? asks.length : deniedNaively({ ...definition, limit }, asks),
          );
          const smallest = denied.findIndex((each) => each <= ratio * asks.length);
          expect(suggested).toMatchObject({ limit: smallest, denied: denied[smallest] });
          expect(below?.denied).toBe(smallest === 1 ? undefined : denied[smallest - 1]);
          expect(withoutDenials?.limit).toBe(denied.indexOf(0));
        }),
        { numRuns: 60 },
      );
    },
  );

  it('keeps the proportion of limit and burst', () => {
    const asks = Array.from({ length: 30 }, () => ({ caller: 'a', at: 0, hold: 0 }));
    const bucket = limitOf({ algorithm: 'TOKEN_BUCKET', limit: 10, burst: 5, windowMicros: WINDOW });
    const { suggested, below } = suggestLimit(bucket, demandOf(asks, false), 0);
    expect(suggested).toEqual({ limit: 59, burst: 30, denied: 0, ratio: 0 });
    expect(below).toMatchObject({ limit: 58, burst: 29, denied: 1 });
  });

  it('denies what costs more than the limit', () => {
    const demand = new Demand(new DemandBudget(), false);
    for (const cost of [1, 8, 1]) demand.add('a', START, cost, 0);
    const { suggested, withoutDenials } = suggestLimit(
      limitOf({ limit: 3, windowMicros: WINDOW }),
      demand,
      0.34,
    );
    expect(suggested).toMatchObject({ limit: 2, denied: 1 });
    expect(withoutDenials).toMatchObject({ limit: 10 });
  });

  it('suggests nothing that the algorithm does not have', () => {
    const demand = new Demand(new DemandBudget(), false);
    demand.add('a', START, 100_001, 0);
    const log = suggestLimit(limitOf({ limit: 3, windowMicros: WINDOW }), demand, 0);
    expect(log).toEqual({ suggested: undefined, below: undefined, withoutDenials: undefined });
  });

  it('has nothing to go by once the budget is used up', () => {
    const demand = new Demand(new DemandBudget(1), false);
    demand.add('a', START, 1, 0);
    expect(demand.complete).toBe(true);
    demand.add('a', START, 1, 0);
    expect(demand).toMatchObject({ complete: false, callers: new Map() });
  });
});
