import type { CheckTerm } from './check-plan.ts';
import type { DecisionStore, Verdict } from './decision-store.ts';
import { LeaseEnded, StoreAway } from './errors.ts';
import { keySuffixOf } from './limit.ts';
import { limitKey } from './limit-key.ts';
import type { LimitState, Taken } from './limit-store.ts';
import { newReceiptId, type Receipt, readReceipt } from './receipt.ts';
import type { RuleSet } from './rule-set.ts';

/** Takes at different times that one give-back goes through. */
const MOST_TAKES = 16;

export interface GiveBackOptions {
  /** Tells the rules of this moment. */
  readonly rules: () => RuleSet;
  readonly store: DecisionStore;
  /** Tells all replicas, this one too, that keys may have room again. */
  readonly onRoom?: (keys: readonly string[]) => void;
}

/** Makes room before its time: by receipts, and for operators. */
export class GiveBack {
  readonly #rules: () => RuleSet;
  readonly #store: DecisionStore;
  readonly #onRoom: (keys: readonly string[]) => void;

  constructor({ rules, store, onRoom = () => undefined }: GiveBackOptions) {
    this.#rules = rules;
    this.#store = store;
    this.#onRoom = onRoom;
  }

  /**
   * Gives back what a decision took, once.
   *
   * @returns whether there was anything to give back
   * @throws InvalidReceipt, StoreAway
   */
  async refund(text: string): Promise<boolean> {
    const receipt = readReceipt(text);
    const parts = this.#taken(receipt);
    if (parts.length === 0) return false;
    try {
      const units = await this.#store.refund(receipt.id, parts, receipt.source);
      return units.some((count) => count > 0);
    } finally {
      // Where the answer is lost, the units may be back all the same.
      this.#onRoom(parts.map(({ key }) => key));
    }
  }

  /**
   * Gives back units of what a key was asked for last, by whomever: for those who keep no receipt. Of a limit that
   * knows the time of each take, the newest {@link MOST_TAKES} times at most. Leases are not given back so.
   *
   * @returns units given back: fewer than `units` where fewer are counted
   * @throws StoreAway
   */
  async giveBackNewest(term: CheckTerm, units: number): Promise<number> {
    const { key, limit } = term;
    if (limit.algorithm === 'CONCURRENCY') return 0;
    let given = 0;
    try {
      for (let takes = 0; takes < MOST_TAKES && given < units; takes += 1) {
        const { source, states }: Verdict = await this.#store.decide({
          terms: [{ ...term, cost: 1 }],
          peek: true,
          lease: '',
        });
        if (source === 'FALLBACK_OPEN' || source === 'FALLBACK_CLOSED')
          throw new StoreAway('nothing is counted');
        const { resetMicros } = states[0] as LimitState;
        const part = { key, limit, cost: Math.min(units - given, limit.burst), resetMicros };
        const [back = 0] = await this.#store.refund(newReceiptId(), [part], source, true);
        if (back === 0) break;
        given += back;
      }
    } finally {
      // Where the answer is lost, the units may be back all the same.
      this.#onRoom([key]);
    }
    return given;
  }

  /**
   * Lets the leases of a decision last for another window from now.
   *
   * @returns when the first of them ends, in µs since the epoch
   * @throws InvalidReceipt, LeaseEnded, StoreAway
   */
  async renew(text: string): Promise<number> {
    const receipt = readReceipt(text);
    const leases = this.#taken(receipt).filter(({ limit }) => limit.algorithm === 'CONCURRENCY');
    if (leases.length === 0) throw new LeaseEnded();
    const ends = await this.#store.renew(receipt.id, leases, receipt.source);
    const first = Math.min(...ends);
    if (first === 0) throw new LeaseEnded();
    return first;
  }

  /**
   * Forgets what an identifier has consumed of an endpoint, in every limit that its rule has for anybody, in any mode.
   *
   * @returns whether anything was counted
   * @throws StoreAway
   */
  async reset(endpoint: string, identifier: string): Promise<boolean> {
    const { rule } = this.#rules().ruleFor(endpoint);
    const base = limitKey(endpoint, identifier);
    const suffixes = new Set<string>();
    // As they are written: a rule that is switched off may be on again, and a shadow may become enforced.
    for (const { limits } of [rule.definition, ...rule.definition.overrides]) {
      for (const { name = '', algorithm = 'SLIDING_WINDOW_LOG' } of limits ?? []) {
        for (const shadow of [false, true]) suffixes.add(keySuffixOf(name, algorithm, shadow));
      }
    }
    if (suffixes.size === 0) return false;
    const keys = [...suffixes].map((suffix) => base + suffix);
    try {
      return (await this.#store.reset(keys)) > 0;
    } finally {
      // Where the answer is lost, the keys may be gone all the same.
      this.#onRoom(keys);
    }
  }

  /**
   * The limits that a receipt is of, as the rules have them now; without those they have no more, and those whose window
   * is another: the units can't be told from others' then. A lease has a name of its own.
   */
  #taken({ parts }: Receipt): readonly Taken[] {
    const rules = this.#rules();
    return parts.flatMap(({ endpoint, identifier, keySuffix, cost, resetMicros, windowMicros }) => {
      const { limits } = rules.ruleFor(endpoint).termsFor(identifier);
      const limit = limits.find((each) => each.keySuffix === keySuffix);
      if (limit === undefined) return [];
      if (limit.windowMicros !== windowMicros && limit.algorithm !== 'CONCURRENCY') return [];
      return [{ key: limitKey(endpoint, identifier) + keySuffix, limit, cost, resetMicros }];
    });
  }
}
