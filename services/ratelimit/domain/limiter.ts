import type { Check } from './check.ts';
import { type CheckPlan, type CheckTerm, mergeTerms, planCheck } from './check-plan.ts';
import { type Clock, epochMicros } from './clock.ts';
import { type Decision, decided, isAllowed, uncounted } from './decision.ts';
import type { DecisionStore, Verdict, VerdictSource } from './decision-store.ts';
import type { DenialCache } from './denial-cache.ts';
import { TooManyTerms } from './errors.ts';
import { GiveBack } from './give-back.ts';
import { knownDenials, rememberDenials } from './known-denials.ts';
import type { LimitState } from './limit-store.ts';
import { newReceiptId, receiptFor } from './receipt.ts';
import type { RuleSet } from './rule-set.ts';

/** Limits in one decision: Redis serves nobody else for some 10 ms while it decides so many. */
export const MAX_TERMS = 2_000;
/** Limits that one call asks for before it waits for what they say: more would use up the store's time budget. */
export const MAX_TERMS_AT_ONCE = 1_000;
/** Limits of all checks of one call: a thousand of a rule with the most limits. More would be too long an answer. */
const MAX_TERMS_EACH = 8_000;

/** What is said to terms that are no check's: by the store, or by what is remembered of it. */
export interface TermsVerdict {
  readonly source: VerdictSource | 'CACHE';
  /** One a term, in order. */
  readonly states: readonly LimitState[];
}

/** Sees each decision after it was made. Runs on the way of every check: it must be quick, and must not throw. */
export interface DecisionObserver {
  decided(check: Check, decision: Decision): void;
}

export interface LimiterOptions {
  /** Tells the rules of this moment. */
  readonly rules: () => RuleSet;
  readonly store: DecisionStore;
  /** False switches limiting off: everything is allowed and nothing is counted. */
  readonly enabled: boolean;
  /** Where the store's denials are remembered; without, each check asks the store. */
  readonly denials?: DenialCache;
  readonly observer?: DecisionObserver;
  /** Tells all replicas, this one too, that keys may have room again. */
  readonly onRoom?: (keys: readonly string[]) => void;
  /** For the answers that no store gives. Default: {@link epochMicros}. */
  readonly clock?: Clock;
}

/**
 * Decides checks: finds the rules, lets bypass roles through, and asks the store for the rest.
 *
 * Gateways ask once a request, so this adds one promise to what the store returns, and none where that is at hand.
 */
export class Limiter {
  readonly enabled: boolean;
  readonly #rules: () => RuleSet;
  readonly #store: DecisionStore;
  readonly #denials: DenialCache | undefined;
  readonly #observer: DecisionObserver | undefined;
  readonly #giveBack: GiveBack;
  readonly #clock: Clock;

  constructor(options: LimiterOptions) {
    this.enabled = options.enabled;
    this.#rules = options.rules;
    this.#store = options.store;
    this.#denials = options.denials;
    this.#observer = options.observer;
    this.#giveBack = new GiveBack(options);
    this.#clock = options.clock ?? epochMicros;
  }

  /**
   * Counts one operation and tells whether it may go on.
   *
   * @throws CostExceedsLimit (at once, never as a rejection). Not where limiting is off, which refuses nothing.
   */
  check(check: Check): Promise<Decision> | Decision {
    return this.#ask(check, this.#plan(check, ''), false);
  }

  /** Tells what check() would say, and counts nothing. Always asks the store. @throws CostExceedsLimit */
  peek(check: Check): Promise<Decision> | Decision {
    return this.#ask(check, this.#plan(check, 'check.'), true);
  }

  /**
   * Counts several operations, each by itself, in order.
   *
   * @throws CostExceedsLimit, TooManyTerms (as a rejection) before anything is counted
   */
  async checkEach(checks: readonly Check[]): Promise<readonly Decision[]> {
    const plans = checks.map((check, index) => this.#plan(check, `checks[${index}].`));
    const count = plans.reduce((sum, { terms }) => sum + terms.length, 0);
    if (count > MAX_TERMS_EACH) throw new TooManyTerms(count, MAX_TERMS_EACH);
    const decisions: Decision[] = [];
    while (decisions.length < checks.length) {
      const asked: (Promise<Decision> | Decision)[] = [];
      let room = MAX_TERMS_AT_ONCE;
      for (let at = decisions.length; at < checks.length; at += 1) {
        const plan = plans[at] as CheckPlan;
        room -= plan.terms.length;
        if (room < 0 && asked.length > 0) break;
        asked.push(this.#ask(checks[at] as Check, plan, false));
      }
      decisions.push(...(await Promise.all(asked)));
    }
    return decisions;
  }

  /**
   * Counts all of several operations, or none.
   *
   * @returns a decision for each, allowed where all are, and one receipt over all where any check asks for one.
   * @throws CostExceedsLimit, TooManyTerms (as a rejection) before anything is counted
   */
  async checkTogether(
    checks: readonly Check[],
  ): Promise<{ readonly decisions: readonly Decision[]; readonly receipt: string }> {
    const plans = checks.map((check, index) => this.#plan(check, `checks[${index}].`));
    const { terms } = mergeTerms(
      plans.flatMap((plan) => plan.terms),
      'checks',
    );
    if (terms.length > MAX_TERMS) throw new TooManyTerms(terms.length, MAX_TERMS);
    const refundable = checks.some((check) => check.refundable);
    const id = refundable || takesLease(terms) ? newReceiptId() : '';
    const verdict =
      terms.length === 0 ? undefined : await this.#store.decide({ terms, peek: false, lease: id });
    const states = new Map<string, LimitState>();
    for (const [index, { key }] of terms.entries()) states.set(key, verdict?.states[index] as LimitState);
    const allowed = verdict === undefined || isAllowed(terms, verdict.states);
    const decisions = checks.map((check, index) => {
      const plan = plans[index] as CheckPlan;
      const own = plan.terms.filter(({ key }) => states.has(key));
      const shadowDenied = plan.shadowDenied || own.length < plan.terms.length;
      if (verdict === undefined || own.length === 0) return this.#uncounted(check, { ...plan, shadowDenied });
      const ownStates = own.map(({ key }) => states.get(key) as LimitState);
      return decided(own, ownStates, verdict.source, '', shadowDenied);
    });
    const answers = allowed ? decisions : deniedTogether(decisions);
    for (const [index, check] of checks.entries()) {
      this.#observer?.decided(check, answers[index] as Decision);
    }
    const receipt = allowed && verdict !== undefined ? receiptFor(id, verdict, terms, refundable) : '';
    return { decisions: answers, receipt };
  }

  /**
   * Takes terms that are no check's, all or none, or only looks at them. The observer sees nothing of it: {@link show}.
   *
   * @param terms at least one; no two have the same key
   */
  askTerms(terms: readonly CheckTerm[], peek: boolean): Promise<TermsVerdict> | TermsVerdict {
    const askedMicros = this.#denials?.on ? this.#clock() : 0;
    if (askedMicros > 0 && !peek) {
      const known = knownDenials(this.#denials, terms);
      if (known?.terms.length === terms.length) return { source: 'CACHE', states: known.states };
    }
    const lease = !peek && takesLease(terms) ? newReceiptId() : '';
    const verdict = this.#store.decide({ terms, peek, lease });
    const remembered = (answer: Verdict): Verdict => {
      rememberDenials(this.#denials, terms, answer, askedMicros);
      return answer;
    };
    return verdict instanceof Promise ? verdict.then(remembered) : remembered(verdict);
  }

  /** Shows the observer a decision that {@link askTerms} was asked for. */
  show(check: Check, decision: Decision): void {
    this.#observer?.decided(check, decision);
  }

  /** As {@link GiveBack.giveBackNewest}. */
  giveBackNewest(term: CheckTerm, units: number): Promise<number> {
    return this.#giveBack.giveBackNewest(term, units);
  }

  /** As {@link GiveBack.refund}. */
  refund(receipt: string): Promise<boolean> {
    return this.#giveBack.refund(receipt);
  }

  /** As {@link GiveBack.renew}. */
  renew(receipt: string): Promise<number> {
    return this.#giveBack.renew(receipt);
  }

  /** As {@link GiveBack.reset}. */
  reset(endpoint: string, identifier: string): Promise<boolean> {
    return this.#giveBack.reset(endpoint, identifier);
  }

  #plan(check: Check, path: string): CheckPlan {
    const rules = this.#rules();
    if (this.enabled) return planCheck(rules, check, path);
    return { rule: rules.ruleFor(check.endpoint).rule, terms: [], pass: 'DISABLED', shadowDenied: false };
  }

  #ask(check: Check, plan: CheckPlan, peek: boolean): Promise<Decision> | Decision {
    const { terms } = plan;
    if (terms.length === 0) return this.#tell(check, this.#uncounted(check, plan), peek);
    const askedMicros = this.#denials?.on ? this.#clock() : 0;
    if (askedMicros > 0 && !peek) {
      const known = knownDenials(this.#denials, terms);
      if (known !== undefined) {
        return this.#tell(check, decided(known.terms, known.states, 'CACHE', '', plan.shadowDenied), peek);
      }
    }
    const lease = !peek && (check.refundable || takesLease(terms)) ? newReceiptId() : '';
    const verdict = this.#store.decide({ terms, peek, lease });
    return verdict instanceof Promise
      ? verdict.then((later) => this.#conclude(check, plan, later, askedMicros, lease, peek))
      : this.#conclude(check, plan, verdict, askedMicros, lease, peek);
  }

  #conclude(
    check: Check,
    { terms, shadowDenied }: CheckPlan,
    verdict: Verdict,
    askedMicros: number,
    lease: string,
    peek: boolean,
  ): Decision {
    const { source, states } = verdict;
    const allowed = isAllowed(terms, states);
    const receipt = allowed && lease !== '' ? receiptFor(lease, verdict, terms, check.refundable) : '';
    if (!allowed) rememberDenials(this.#denials, terms, verdict, askedMicros);
    return this.#tell(check, decided(terms, states, source, receipt, shadowDenied), peek);
  }

  #tell(check: Check, decision: Decision, peek: boolean): Decision {
    if (!peek) this.#observer?.decided(check, decision);
    return decision;
  }

  #uncounted({ endpoint, identifier }: Check, { rule, pass, shadowDenied }: CheckPlan): Decision {
    const bypassed = pass === 'BYPASS';
    const limit = bypassed ? this.#rules().ruleFor(endpoint).termsFor(identifier).limits[0] : undefined;
    const decision = uncounted(rule, limit, this.#clock(), pass ?? 'UNLIMITED');
    return shadowDenied ? { ...decision, shadowDenied } : decision;
  }
}

/** The decisions on operations of which not all have room: none may go on before the last of them has. */
function deniedTogether(decisions: readonly Decision[]): Decision[] {
  const retryAfterMicros = Math.max(...decisions.map((each) => each.retryAfterMicros));
  return decisions.map((each) => ({ ...each, allowed: false, retryAfterMicros }));
}

function takesLease(terms: readonly CheckTerm[]): boolean {
  for (const { limit } of terms) {
    if (limit.algorithm === 'CONCURRENCY') return true;
  }
  return false;
}
