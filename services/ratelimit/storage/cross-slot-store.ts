import { randomBytes } from 'node:crypto';
import type { CheckTerm } from '../domain/check-plan.ts';
import { isAllowed } from '../domain/decision.ts';
import type { DecisionStore, Verdict, VerdictSource } from '../domain/decision-store.ts';
import type { Ask, LimitState, Taken } from '../domain/limit-store.ts';
import { bySlot, eachSlot } from './by-slot.ts';

export interface CrossSlotStoreOptions {
  /** Decides asks whose keys are in one slot. */
  readonly store: DecisionStore;
  readonly slotOf: (key: string) => number;
  /** Called with the keys that a denied ask has left again: who was denied because of it has room now. */
  readonly onGivenBack?: (keys: readonly string[]) => void;
  /** Called where what a denied ask had taken could not be given back, so that it stays until its window is over. */
  readonly onNotGivenBack?: (error: unknown) => void;
}

/** What one slot gave of an ask. */
interface TakenGroup {
  readonly parts: readonly Taken[];
  /** Where the terms are in the ask. */
  readonly places: readonly number[];
  readonly source: VerdictSource;
}

/** The later, the worse. */
const SOURCES: readonly VerdictSource[] = [
  'MEMORY',
  'REDIS',
  'FALLBACK_OPEN',
  'FALLBACK_LOCAL',
  'FALLBACK_CLOSED',
];

/**
 * Decides asks whose keys are in several slots of a cluster, where no script can see all of them at once.
 *
 * The enforced terms of each slot are asked for at the same time. Where a slot has no room, what the other slots gave is
 * given back before the answer. Shadow terms are asked for after that, in the same way; only looked at where the
 * enforced ones had no room. So an ask takes one round trip, one more where a slot has no room, and as many again where
 * it has shadow terms.
 *
 * It never admits too much, and what an ask takes is all or nothing once it is answered. The bound: while an ask is
 * under way that one slot denies, others may find its units in another slot and be denied for want of them: for at most
 * two round trips, and so at most twice the time budget. They stay until their window is over where this process dies
 * in between, or where the slot can't be reached to give them back.
 *
 * An answer comes from the worst of the sources that its parts came from. A receipt names that one, too: where Redis
 * counted one part while another was answered by FAIL_OPEN there is none, and the part stays until its window is over.
 *
 * Asks whose keys are in one slot go on as they are.
 */
export class CrossSlotStore implements DecisionStore {
  readonly #store: DecisionStore;
  readonly #slotOf: (key: string) => number;
  readonly #onGivenBack: (keys: readonly string[]) => void;
  readonly #onNotGivenBack: (error: unknown) => void;

  constructor(options: CrossSlotStoreOptions) {
    const { store, slotOf, onGivenBack = () => undefined, onNotGivenBack = () => undefined } = options;
    this.#store = store;
    this.#slotOf = slotOf;
    this.#onGivenBack = onGivenBack;
    this.#onNotGivenBack = onNotGivenBack;
  }

  decide(ask: Ask<CheckTerm>): Promise<Verdict> | Verdict {
    return this.#isInOneSlot(ask.terms) ? this.#store.decide(ask) : this.#decideInSlots(ask);
  }

  /** Each slot gives back once. Where several calls race, each may so give back a part of what was taken. */
  async refund(
    id: string,
    parts: readonly Taken[],
    source: VerdictSource,
    oneOff = false,
  ): Promise<readonly number[]> {
    return await eachSlot(parts, this.#slotOfPart, (_, group) =>
      this.#store.refund(id, group, source, oneOff),
    );
  }

  async renew(id: string, parts: readonly Taken[], source: VerdictSource): Promise<readonly number[]> {
    return await eachSlot(parts, this.#slotOfPart, (_, group) => this.#store.renew(id, group, source));
  }

  async reset(keys: readonly string[]): Promise<number> {
    const groups = bySlot(keys, this.#slotOf);
    const counts = await Promise.all(groups.map(({ items }) => this.#store.reset(items)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  readonly #slotOfPart = ({ key }: { readonly key: string }): number => this.#slotOf(key);

  #isInOneSlot(terms: readonly CheckTerm[]): boolean {
    if (terms.length === 1) return true;
    const [first, ...others] = terms;
    const slot = this.#slotOf(first?.key ?? '');
    return others.every(({ key }) => this.#slotOf(key) === slot);
  }

  async #decideInSlots({ terms, peek, lease }: Ask<CheckTerm>): Promise<Verdict> {
    // What is taken needs a name to be given back by.
    const id = peek || lease !== '' ? lease : randomBytes(12).toString('base64url');
    const enforced = terms.filter(({ limit }) => !limit.shadow);
    const shadows = terms.filter(({ limit }) => limit.shadow);
    const first = await this.#takeTogether({ terms: enforced, peek, lease: id });
    const denied = !isAllowed(enforced, first.states);
    const second = await this.#takeTogether({ terms: shadows, peek: peek || denied, lease: id });
    const states = new Map<string, LimitState>();
    for (const [index, { key }] of enforced.entries()) states.set(key, first.states[index] as LimitState);
    for (const [index, { key }] of shadows.entries()) states.set(key, second.states[index] as LimitState);
    return {
      // Shadows decide nothing, so where they were counted matters only where there is nothing else.
      source: enforced.length === 0 ? second.source : first.source,
      states: terms.map(({ key }) => states.get(key) as LimitState),
    };
  }

  /** Terms that are all enforced or all shadows: takes all or none. */
  async #takeTogether(ask: Ask<CheckTerm>): Promise<Verdict> {
    const groups = bySlot(ask.terms, this.#slotOfPart);
    const verdicts = await Promise.all(
      groups.map(({ items }) => this.#store.decide({ ...ask, terms: items })),
    );
    const states: LimitState[] = [];
    const taken: TakenGroup[] = [];
    for (const [index, { items, places }] of groups.entries()) {
      const verdict = verdicts[index] as Verdict;
      for (const [at, place] of places.entries()) states[place] = verdict.states[at] as LimitState;
      if (!ask.peek && verdict.states.every(({ allowed }) => allowed)) {
        const parts = items.map(({ key, limit, cost }, at) => ({
          key,
          limit,
          cost,
          resetMicros: (verdict.states[at] as LimitState).resetMicros,
        }));
        taken.push({ parts, places, source: verdict.source });
      }
    }
    const source = worst(verdicts.map((verdict) => verdict.source));
    if (taken.length === groups.length || taken.length === 0) return { source, states };
    await Promise.all(taken.map((group) => this.#giveBack(ask.lease, group, states)));
    return { source, states };
  }

  async #giveBack(id: string, { parts, source, places }: TakenGroup, states: LimitState[]): Promise<void> {
    if (source === 'FALLBACK_OPEN') return;
    try {
      const units = await this.#store.refund(id, parts, source, true);
      this.#onGivenBack(parts.map(({ key }) => key));
      for (const [at, place] of places.entries()) {
        const state = states[place] as LimitState;
        states[place] = { ...state, remaining: state.remaining + (units[at] ?? 0) };
      }
    } catch (error) {
      this.#onNotGivenBack(error);
    }
  }
}

function worst(sources: readonly VerdictSource[]): VerdictSource {
  return sources.reduce(
    (one, other) => (SOURCES.indexOf(other) > SOURCES.indexOf(one) ? other : one),
    'MEMORY',
  );
}
