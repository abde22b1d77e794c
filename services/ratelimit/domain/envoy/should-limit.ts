import { type Clock, epochMicros } from '../clock.ts';
import type { Decision } from '../decision.ts';
import { StoreAway } from '../errors.ts';
import type { Limiter } from '../limiter.ts';
import type { StoreFailurePolicy } from '../rule.ts';
import type { RuleSet } from '../rule-set.ts';
import type { EnvoyConfig } from './envoy-config.ts';
import { askAlone, askTogether, type DescriptorVerdict } from './should-limit-asks.ts';
import { type DescriptorPlan, isClosed, planDescriptors } from './should-limit-plan.ts';
import { quotaIsOver } from './should-limit-quota.ts';
import type { EnvoyRequest } from './should-limit-request.ts';
import { type DescriptorStatus, NOT_LIMITED, statusOf } from './should-limit-status.ts';

/** The answer to Envoy. */
export interface EnvoyAnswer {
  /** Whether the request is over its limits and must not go on. */
  readonly over: boolean;
  /** One a descriptor, in order. */
  readonly statuses: readonly DescriptorStatus[];
}

/** Counts what was decided. Must be quick, and must not throw. */
export interface HitStatistics {
  counted(plan: DescriptorPlan, status: DescriptorStatus): void;
}

export interface ShouldLimitOptions {
  /** The limits of this moment. */
  readonly config: () => EnvoyConfig;
  /** Our own rules, that descriptors can be held to. */
  readonly rules: () => RuleSet;
  readonly limiter: Limiter;
  /** Of limits that callers bring. Default: `FAIL_LOCAL`. */
  readonly onStoreFailure?: StoreFailurePolicy;
  readonly statistics?: HitStatistics;
  /** Called where hits could not be given back, so that they stay until they run out. */
  readonly onNotGivenBack?: (error: StoreAway) => void;
  /** Default: {@link epochMicros}. */
  readonly clock?: Clock;
}

/**
 * Decides what Envoy's rate-limit API asks, as its reference implementation does but for this:
 *
 * - The enforced descriptors of a request are taken all or none, so a request that does not go on uses up no hit of
 *   limits that others share. Where it takes several hits of a descriptor, what is left of them is taken all the same:
 *   they are a cost that has arisen already.
 * - Counts are exact: there is no cache of counts, and a unit begins for all replicas at one time, that of the store.
 *
 * Where enforced descriptors only look, the others wait for what they see; all else goes out at once.
 */
export class ShouldLimit {
  readonly #options: ShouldLimitOptions;
  readonly #onStoreFailure: StoreFailurePolicy;
  readonly #clock: Clock;

  constructor(options: ShouldLimitOptions) {
    this.#options = options;
    this.#onStoreFailure = options.onStoreFailure ?? 'FAIL_LOCAL';
    this.#clock = options.clock ?? epochMicros;
  }

  async decide(request: EnvoyRequest): Promise<EnvoyAnswer> {
    const { config, rules, limiter } = this.#options;
    if (!limiter.enabled) return { over: false, statuses: request.descriptors.map(() => NOT_LIMITED) };
    const sources = { config: config(), rules: rules(), onStoreFailure: this.#onStoreFailure };
    const plans = planDescriptors(sources, request);
    const verdicts = await this.#ask(plans);
    const statuses = plans.map((plan, at) => statusOf(plan, verdicts[at], this.#clock));
    const overs = statuses.map(({ over }) => over);
    const quotaOver = quotaIsOver(plans, overs);
    for (const [at, plan] of plans.entries()) this.#tell(plan, statuses[at] as DescriptorStatus, quotaOver);
    return { over: quotaOver || plans.some(({ mode }, at) => mode === 'ENFORCED' && overs[at]), statuses };
  }

  async #ask(plans: readonly DescriptorPlan[]): Promise<readonly (DescriptorVerdict | undefined)[]> {
    const { limiter } = this.#options;
    const asked = new Map<DescriptorPlan, Promise<DescriptorVerdict>>();
    const looks: Promise<DescriptorVerdict>[] = [];
    const together: DescriptorPlan[] = [];
    let isOver = false;
    // The store sends what is asked in one turn in one call.
    for (const plan of plans) {
      const { givesBack, hits } = plan.descriptor;
      if (plan.terms.length === 0) {
        isOver ||= plan.mode === 'ENFORCED' && !givesBack && isClosed(plan.match);
      } else if (givesBack) asked.set(plan, this.#giveBack(plan));
      else if (plan.mode !== 'ENFORCED') asked.set(plan, askAlone(limiter, plan, hits === 0));
      else if (hits > 0) together.push(plan);
      else {
        const look = askAlone(limiter, plan, true);
        asked.set(plan, look);
        looks.push(look);
      }
    }
    if (looks.length > 0) {
      await Promise.all(asked.values());
      for (const { over } of await Promise.all(looks)) isOver ||= over;
    }
    const [taken] = await Promise.all([
      together.length === 0 ? [] : askTogether(limiter, together, isOver),
      ...asked.values(),
    ]);
    return await Promise.all(plans.map((plan) => asked.get(plan) ?? taken[together.indexOf(plan)]));
  }

  async #giveBack({ terms, descriptor }: DescriptorPlan): Promise<DescriptorVerdict> {
    const { limiter, onNotGivenBack } = this.#options;
    if (descriptor.hits > 0) {
      const given = terms.map((term) => limiter.giveBackNewest(term, descriptor.hits));
      for (const each of await Promise.allSettled(given)) {
        if (each.status === 'fulfilled') continue;
        if (!(each.reason instanceof StoreAway)) throw each.reason;
        onNotGivenBack?.(each.reason);
      }
    }
    return { ...(await limiter.askTerms(terms, true)), over: false };
  }

  #tell(plan: DescriptorPlan, status: DescriptorStatus, quotaOver: boolean): void {
    const { givesBack, hits } = plan.descriptor;
    if (givesBack || hits === 0) return;
    this.#options.statistics?.counted(plan, status);
    const { decision } = status;
    if (decision === undefined) return;
    const stops = plan.mode === 'ENFORCED' || (plan.mode === 'QUOTA' && quotaOver);
    this.#options.limiter.show(plan.check, decision.allowed || stops ? decision : asShadow(decision));
  }
}

/** A denial that stops nobody. */
function asShadow(decision: Decision): Decision {
  const outcomes = decision.outcomes.map(({ term, state }) => {
    return { term: { ...term, limit: { ...term.limit, shadow: true } }, state };
  });
  return { ...decision, allowed: true, retryAfterMicros: 0, shadowDenied: true, outcomes };
}
