import type { TermOutcome } from '../domain/decision.ts';
import type { Limit } from '../domain/limit.ts';
import type { Rule } from '../domain/rule.ts';
import { Demand, type DemandBudget } from './demand.ts';
import { CallerWindowPeak, WindowPeak } from './peaks.ts';

/** What one limit said in a replay, and what it was asked. */
export class LimitTally {
  readonly limit: Limit;
  /** The override of the rule that has the limit; undefined where that is the rule itself. */
  readonly override: string | undefined;
  requests = 0;
  /** Requests that this limit had no room for, whatever the others said. */
  denied = 0;
  /** Of all callers. */
  readonly total: WindowPeak;
  readonly caller: CallerWindowPeak;
  readonly demand: Demand | undefined;

  /** @param budget for keeping what was asked; without, it is not kept */
  constructor(rule: Rule, limit: Limit, budget: DemandBudget | undefined) {
    this.limit = limit;
    this.override = rule.overrides.find(({ limits }) => limits.includes(limit))?.identifier;
    this.total = new WindowPeak(limit.windowMicros);
    this.caller = new CallerWindowPeak(limit.windowMicros);
    this.demand = budget && new Demand(budget, limit.algorithm === 'CONCURRENCY');
  }

  /** @param durationMicros how long the operation took */
  add(timeMicros: number, { term, state }: TermOutcome, durationMicros: number | undefined): void {
    const { identifier, cost, limit } = term;
    this.requests += 1;
    if (!state.allowed) this.denied += 1;
    this.total.add(timeMicros, cost);
    this.caller.add(timeMicros, cost, identifier);
    this.demand?.add(identifier, timeMicros, cost, durationMicros ?? limit.windowMicros);
  }
}
