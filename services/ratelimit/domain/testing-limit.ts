import { defineLimit, type Limit, type LimitDefinition } from './limit.ts';
import type { LimitModel } from './limit-model.ts';
import type { LimitState } from './limit-store.ts';

/** @throws RangeError where the definition breaks its bounds. */
export function limitOf(definition: LimitDefinition): Limit {
  return defineLimit(definition, (field, description) => {
    throw new RangeError(`${field} ${description}`);
  });
}

/** Looks, and takes where there is room: a check of one term. */
export function ask(
  model: LimitModel,
  clockMicros: number,
  cost: number,
  definition: LimitDefinition,
  lease = 'lease',
): LimitState {
  const limit = limitOf(definition);
  const state = model.look(clockMicros, cost, limit, lease);
  return state.allowed ? model.take(clockMicros, cost, limit, lease) : state;
}
