import type { Decision } from '../domain/decision.ts';
import type { RuleSet } from '../domain/rule-set.ts';
import { SpaceSaving } from '../domain/space-saving.ts';
import { DemandBudget } from './demand.ts';
import { EndpointTally } from './endpoint-tally.ts';
import type { AskedRequest } from './replay.ts';
import { Timeline } from './timeline.ts';

/** Callers that are counted exactly; of more, the most frequent with a bound of the error. */
const MAX_CALLERS = 10_000;

/** All that is counted of a replay; bounded in memory. */
export class Tally {
  readonly timeline = new Timeline();
  readonly denied = new SpaceSaving(MAX_CALLERS);
  readonly shadowDenied = new SpaceSaving(MAX_CALLERS);
  firstMicros: number | undefined;
  lastMicros: number | undefined;
  readonly #endpoints = new Map<string, EndpointTally>();
  readonly #rules: RuleSet;
  readonly #budget: DemandBudget | undefined;

  /** @param keepsDemand whether what each limit was asked is kept, for other limits to be tried */
  constructor(rules: RuleSet, keepsDemand: boolean) {
    this.#rules = rules;
    this.#budget = keepsDemand ? new DemandBudget() : undefined;
  }

  /** By their names. */
  get endpoints(): readonly EndpointTally[] {
    return [...this.#endpoints.values()].sort((a, b) => (a.endpoint < b.endpoint ? -1 : 1));
  }

  /** @param decision undefined where the request was refused */
  add(request: AskedRequest, decision: Decision | undefined): void {
    const { timeMicros, endpoint, identifier } = request;
    this.firstMicros ??= timeMicros;
    this.lastMicros = timeMicros;
    this.#endpoint(endpoint).add(request, decision);
    if (decision === undefined) return;
    const shadowDenied = decision.allowed && decision.shadowDenied;
    this.timeline.add(timeMicros, decision.allowed ? 'allowed' : 'denied', shadowDenied);
    if (!decision.allowed) this.denied.add(endpoint, identifier);
    if (shadowDenied) this.shadowDenied.add(endpoint, identifier);
  }

  #endpoint(endpoint: string): EndpointTally {
    let tally = this.#endpoints.get(endpoint);
    if (tally === undefined) {
      tally = new EndpointTally(endpoint, this.#rules.ruleFor(endpoint).rule, this.#budget);
      this.#endpoints.set(endpoint, tally);
    }
    return tally;
  }
}
