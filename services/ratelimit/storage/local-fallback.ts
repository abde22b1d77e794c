import type { CheckTerm } from '../domain/check-plan.ts';
import { type Clock, epochMicros } from '../domain/clock.ts';
import type { Verdict } from '../domain/decision-store.ts';
import type { Ask, LimitState, Taken } from '../domain/limit-store.ts';
import { LocalShare } from '../domain/local-share.ts';
import { Debts } from './debts.ts';
import { MemoryStore } from './memory-store.ts';

export interface LocalFallbackOptions {
  /** How many processes share the limits at this moment. */
  readonly processes: () => number;
  /** The lane that a key belongs to now. */
  readonly laneOf: (key: string) => string;
  /** When a `FAIL_CLOSED` denial is worth another try, in µs. */
  readonly retryMicros: number;
  /** Default: {@link epochMicros}. */
  readonly clock?: Clock;
  /** Most keys that are counted, and most that owe something. Default: 1,000,000. */
  readonly maxKeys?: number;
}

/**
 * Answers while the shared store is away, by the rules' `onStoreFailure`.
 *
 * An enforced `FAIL_CLOSED` term denies the whole ask. `FAIL_LOCAL` terms are counted here, together, each against this
 * process's share of its limit; what they take is owed to the shared store. Everything else has room, shadow terms
 * among it: nothing is counted for them.
 *
 * What was counted here stays for as long as it would have counted, also over a recovery: a store that comes and goes
 * gives nobody a fresh share each time.
 */
export class LocalFallback implements Disposable {
  /** What is not settled yet. */
  readonly debts: Debts;
  readonly #store: MemoryStore;
  readonly #share: LocalShare;
  readonly #retryMicros: number;
  readonly #now: Clock;
  /** The time of the operation under way. */
  #frozenMicros: number | undefined;

  constructor(options: LocalFallbackOptions) {
    const { processes, laneOf, retryMicros, clock = epochMicros, maxKeys = 1_000_000 } = options;
    this.#now = () => this.#frozenMicros ?? clock();
    this.#store = new MemoryStore({ clock: this.#now, maxKeys });
    this.debts = new Debts({ clock: this.#now, laneOf, maxKeys });
    this.#share = new LocalShare(processes);
    this.#retryMicros = retryMicros;
  }

  /** @param owed whether the shared store is to hear of what is taken. */
  decide(ask: Ask<CheckTerm>, owed: boolean): Verdict {
    return this.#atOneTime(() => {
      const local: CheckTerm[] = [];
      let closed = false;
      for (const term of ask.terms) {
        const policy = policyOf(term);
        if (policy === 'FAIL_CLOSED') closed = true;
        else if (policy === 'FAIL_LOCAL') local.push(term);
      }
      const counted = local.length === 0 ? [] : this.#count(local, ask, closed);
      if (!closed && owed && !ask.peek && counted.every(({ allowed }) => allowed)) {
        for (const term of local) this.debts.add(term, ask.lease);
      }
      const source = closed ? 'FALLBACK_CLOSED' : local.length > 0 ? 'FALLBACK_LOCAL' : 'FALLBACK_OPEN';
      if (local.length === ask.terms.length) return { source, states: counted };
      return { source, states: ask.terms.map((term) => this.#stateOf(term, local, counted)) };
    });
  }

  /**
   * Gives back what was taken here.
   *
   * @returns units given back to the local count of each part, and how many of them were still owed.
   */
  refund(
    id: string,
    parts: readonly Taken[],
    oneOff = false,
  ): { units: readonly number[]; owed: readonly number[] } {
    return this.#atOneTime(() => {
      const units = this.#store.refund(id, this.#shares(parts), oneOff);
      const owed = parts.map((part, at) => ((units[at] ?? 0) > 0 ? this.debts.refund(part, id) : 0));
      return { units, owed };
    });
  }

  /** Prolongs leases that were taken here; tells the end of each, 0 where there is none. */
  renew(id: string, parts: readonly Taken[]): readonly number[] {
    return this.#atOneTime(() => this.#store.renew(id, this.#shares(parts)));
  }

  /** Forgets local counts and debts of keys; tells how many were counted. */
  reset(keys: readonly string[]): number {
    this.debts.forget(keys);
    return this.#store.reset(keys);
  }

  [Symbol.dispose](): void {
    this.#store[Symbol.dispose]();
  }

  #count(
    local: readonly CheckTerm[],
    { peek, lease }: Ask<CheckTerm>,
    closed: boolean,
  ): readonly LimitState[] {
    const terms = this.#shares(local);
    if (terms.every(({ cost, limit }) => cost <= limit.burst)) {
      return this.#store.decide({ terms, peek: peek || closed, lease });
    }
    // The share never has room for so much at once; the whole limit may, once the shared store is back.
    const capped = terms.map((term) => ({ ...term, cost: Math.min(term.cost, term.limit.burst) }));
    const states = this.#store.decide({ terms: capped, peek: true, lease });
    return states.map((state, at) => {
      const { cost, limit } = terms[at] as CheckTerm;
      return cost <= limit.burst ? state : { ...state, allowed: false, retryAfterMicros: limit.windowMicros };
    });
  }

  #shares<T extends Pick<Taken, 'limit'>>(terms: readonly T[]): readonly T[] {
    return terms.map((term) => ({ ...term, limit: this.#share.of(term.limit) }));
  }

  #stateOf(term: CheckTerm, local: readonly CheckTerm[], counted: readonly LimitState[]): LimitState {
    const at = local.indexOf(term);
    if (at !== -1) return counted[at] as LimitState;
    const now = this.#now();
    if (policyOf(term) === 'FAIL_CLOSED') {
      const retryAfterMicros = this.#retryMicros;
      return { allowed: false, remaining: 0, resetMicros: now + retryAfterMicros, retryAfterMicros };
    }
    return { allowed: true, remaining: term.limit.burst, resetMicros: now, retryAfterMicros: 0 };
  }

  /** A take and the debt of it have one time, by which a refund finds both. */
  #atOneTime<T>(operation: () => T): T {
    this.#frozenMicros = this.#now();
    try {
      return operation();
    } finally {
      this.#frozenMicros = undefined;
    }
  }
}

/** Shadow limits never deny, so nothing is to be decided about them without the store. */
function policyOf({ rule, limit }: CheckTerm): CheckTerm['rule']['onStoreFailure'] {
  return limit.shadow ? 'FAIL_OPEN' : rule.onStoreFailure;
}
