import { activeSpan } from '../../../runtime/tracing/active-span.ts';
import type { Decision } from '../domain/decision.ts';

/** Notes on the span of a call that is one check, where it has a span, how that was decided. */
export function noteDecision<D extends Pick<Decision, 'allowed' | 'source' | 'rule'>>(decision: D): D {
  activeSpan()?.setAttributes({
    'optix.allowed': decision.allowed,
    'optix.source': decision.source,
    'optix.rule': decision.rule.name,
  });
  return decision;
}
