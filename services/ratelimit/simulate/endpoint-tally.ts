import type { Decision } from '../domain/decision.ts';
import type { Limit } from '../domain/limit.ts';
import type { Rule } from '../domain/rule.ts';
import type { DemandBudget } from './demand.ts';
import { LimitTally } from './limit-tally.ts';
import { WindowPeak } from './peaks.ts';
import type { AskedRequest } from './replay.ts';

const SECOND_MICROS = 1_000_000;
const MINUTE_MICROS = 60_000_000;

/** What became of the requests for one endpoint. */
export class EndpointTally {
  readonly endpoint: string;
  readonly rule: Rule;
  allowed = 0;
  denied = 0;
  /** Of those allowed: what a shadow limit would have denied. */
  shadowDenied = 0;
  /** Of those allowed: by a role that passes. */
  bypassed = 0;
  /** Of those allowed: where there is no limit, or the rule is switched off. */
  unlimited = 0;
  /** Their cost is more than the limit ever has. */
  refused = 0;
  readonly second = new WindowPeak(SECOND_MICROS);
  readonly minute = new WindowPeak(MINUTE_MICROS);
  readonly #limits = new Map<Limit, LimitTally>();
  readonly #budget: DemandBudget | undefined;

  constructor(endpoint: string, rule: Rule, budget: DemandBudget | undefined) {
    this.endpoint = endpoint;
    this.rule = rule;
    this.#budget = budget;
  }

  get requests(): number {
    return this.allowed + this.denied + this.refused;
  }

  /** Those that were asked: first the rule's own in its order, then those of overrides. */
  get limits(): readonly LimitTally[] {
    const order = this.rule.limits;
    const rank = ({ limit }: LimitTally) => (order.includes(limit) ? order.indexOf(limit) : order.length);
    return [...this.#limits.values()].sort((a, b) => rank(a) - rank(b));
  }

  /** @param decision undefined where the request was refused */
  add({ timeMicros, durationMicros }: AskedRequest, decision: Decision | undefined): void {
    this.second.add(timeMicros, 1);
    this.minute.add(timeMicros, 1);
    if (decision === undefined) {
      this.refused += 1;
      return;
    }
    if (!decision.allowed) this.denied += 1;
    else {
      this.allowed += 1;
      if (decision.shadowDenied) this.shadowDenied += 1;
      if (decision.bypassed) this.bypassed += 1;
      if (decision.source === 'UNLIMITED' || decision.source === 'DISABLED') this.unlimited += 1;
    }
    for (const outcome of decision.outcomes) {
      this.#limit(outcome.term.limit).add(timeMicros, outcome, durationMicros);
    }
  }

  #limit(limit: Limit): LimitTally {
    let tally = this.#limits.get(limit);
    if (tally === undefined) {
      tally = new LimitTally(this.rule, limit, this.#budget);
      this.#limits.set(limit, tally);
    }
    return tally;
  }
}
