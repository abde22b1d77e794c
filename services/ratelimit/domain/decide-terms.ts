import type { LimitModel } from './limit-model.ts';
import type { Ask, LimitState } from './limit-store.ts';

/**
 * Decides an ask over one model for each of its terms, as {@link LimitStore} says: first looks at all of them, then
 * takes the enforced terms if each has room, and with them the shadow terms if each of those has.
 */
export function decideTerms(clockMicros: number, ask: Ask, models: readonly LimitModel[]): LimitState[] {
  const { terms, peek, lease } = ask;
  const states = terms.map(({ cost, limit }, at) =>
    modelAt(models, at).look(clockMicros, cost, limit, lease),
  );
  if (peek) return states;
  for (const shadow of [false, true]) {
    const group = terms.map(({ limit }) => limit.shadow === shadow);
    if (states.some(({ allowed }, at) => group[at] && !allowed)) break;
    for (const [at, { cost, limit }] of terms.entries()) {
      if (group[at]) states[at] = modelAt(models, at).take(clockMicros, cost, limit, lease);
    }
  }
  return states;
}

function modelAt(models: readonly LimitModel[], at: number): LimitModel {
  const model = models[at];
  if (model === undefined) throw new RangeError('there must be a model for each term');
  return model;
}
