import type { CheckTerm } from '../check-plan.ts';
import { isAllowed } from '../decision.ts';
import type { LimitState } from '../limit-store.ts';
import type { Limiter, TermsVerdict } from '../limiter.ts';
import { type DescriptorPlan, neverHasRoom } from './should-limit-plan.ts';

/** What the store said to a descriptor. */
export interface DescriptorVerdict extends TermsVerdict {
  /** Whether an enforced limit of it has no room. */
  readonly over: boolean;
}

type Asked = Pick<Limiter, 'askTerms'>;

/** Others may take of what is left, between two asks for it. */
const MOST_TRIES = 16;

/**
 * Asks about one descriptor by itself: takes its hits, or looks where it has none. Where they have no room, what is left
 * is taken, so that what was used counts: a cost that is known at the end of a request comes so.
 */
export async function askAlone(
  limiter: Asked,
  plan: DescriptorPlan,
  justLook: boolean,
): Promise<DescriptorVerdict> {
  const { hits } = plan.descriptor;
  const tooMuch = !justLook && plan.terms.some((term) => !term.limit.shadow && neverHasRoom(term, hits));
  const { source, states } = await limiter.askTerms(plan.terms, justLook || tooMuch);
  const told = tooMuch ? states.map((state, at) => refused(state, plan.terms[at], hits)) : states;
  const over = !isAllowed(plan.terms, told);
  if (!over || justLook || hits < 2) return { source, states: told, over };
  return { source, states: await takeLeft(limiter, plan, told), over };
}

/**
 * Asks about descriptors together: takes the hits of all of them, or of none. Where not all have room, a descriptor of
 * several hits takes what is left to it; single hits of a request that does not go on count nowhere.
 *
 * @param isOver whether the request is over its limits already, so that nothing but such rests is taken
 */
export async function askTogether(
  limiter: Asked,
  plans: readonly DescriptorPlan[],
  isOver: boolean,
): Promise<readonly DescriptorVerdict[]> {
  const byKey = new Map<string, CheckTerm>();
  const needed = new Map<string, number>();
  for (const { terms, descriptor } of plans) {
    for (const term of terms) {
      // A limit that the caller brings shares its key with the configured one: the stricter of them has to have room.
      if (!isLooser(term, byKey.get(term.key))) byKey.set(term.key, term);
      needed.set(term.key, (needed.get(term.key) ?? 0) + descriptor.hits);
    }
  }
  let tooMuch = false;
  const terms = [...byKey.values()].map((term) => {
    const units = needed.get(term.key) as number;
    if (units === term.cost) return term;
    const fits = !neverHasRoom(term, units);
    if (!fits && !term.limit.shadow) tooMuch = true;
    return { ...term, cost: fits ? units : term.limit.shadow ? term.limit.burst : 1 };
  });
  const { source, states } = await limiter.askTerms(terms, isOver || tooMuch);
  const told = new Map<string, LimitState>();
  for (const [at, term] of terms.entries()) {
    told.set(term.key, refused(states[at] as LimitState, term, needed.get(term.key) as number));
  }
  const taken = !isOver && !tooMuch && isAllowed(terms, states);
  const looser = plans.flatMap((plan) => plan.terms.filter((term) => isLooser(term, byKey.get(term.key))));
  const looks = looser.map(async (term) => {
    return [term, await seen(limiter, term, needed.get(term.key) as number, taken)] as const;
  });
  const ofLooser = new Map(await Promise.all(looks));
  const verdicts = plans.map((plan) => {
    const own = plan.terms.map((term) => ofLooser.get(term) ?? (told.get(term.key) as LimitState));
    return { source, states: own, over: !isAllowed(plan.terms, own) };
  });
  if (!isOver && verdicts.every(({ over }) => !over)) return verdicts;
  return await Promise.all(
    verdicts.map(async (verdict, at) => {
      const plan = plans[at] as DescriptorPlan;
      if (plan.descriptor.hits < 2) return verdict;
      return { ...verdict, states: await takeLeft(limiter, plan, verdict.states) };
    }),
  );
}

function isLooser({ limit }: CheckTerm, other: CheckTerm | undefined): boolean {
  return other !== undefined && limit.burst > other.limit.burst;
}

/** What a limit says after a stricter one of its key was asked for so many units. */
async function seen(limiter: Asked, term: CheckTerm, units: number, taken: boolean): Promise<LimitState> {
  const cost = taken || neverHasRoom(term, units) ? 1 : units;
  const [state] = (await limiter.askTerms([{ ...term, cost }], true)).states;
  return taken ? { ...(state as LimitState), allowed: true } : refused(state as LimitState, term, units);
}

/** What a limit says to more than it ever has: it was asked for less. */
function refused(state: LimitState, term: CheckTerm | undefined, hits: number): LimitState {
  return term !== undefined && neverHasRoom(term, hits) ? { ...state, allowed: false } : state;
}

/** Takes of each enforced limit as many of the hits as it has left. */
async function takeLeft(
  limiter: Asked,
  { terms, descriptor }: DescriptorPlan,
  states: readonly LimitState[],
): Promise<readonly LimitState[]> {
  return await Promise.all(
    terms.map(async (term, at) => {
      const before = states[at] as LimitState;
      // Of what is held at one time nothing is used up by a request that does not go on.
      if (term.limit.shadow || term.limit.algorithm === 'CONCURRENCY') return before;
      let now = before;
      for (let tries = 0; tries < MOST_TRIES && now.remaining > 0; tries += 1) {
        const cost = Math.min(descriptor.hits, now.remaining, term.limit.burst);
        const { states: answers } = await limiter.askTerms([{ ...term, cost }], false);
        now = answers[0] as LimitState;
        if (now.allowed) break;
      }
      const { remaining, resetMicros } = now;
      return { ...before, remaining, resetMicros };
    }),
  );
}
