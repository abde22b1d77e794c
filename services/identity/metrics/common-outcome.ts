import { InvalidRequest, isAbort } from '../../../runtime/errors.ts';
import { DatabaseUnavailable, RateLimited, RateLimiterUnavailable } from '../domain/errors.ts';

/** What becomes of any call that is not answered. */
export const COMMON_OUTCOMES = ['limited', 'unavailable', 'invalid', 'canceled', 'failed'] as const;
export type CommonOutcome = (typeof COMMON_OUTCOMES)[number];

/** Of an error that says nothing about what was asked. `failed` is what nobody has foreseen. */
export function commonOutcome(error: unknown, signal: AbortSignal): CommonOutcome {
  if (error instanceof RateLimited) return 'limited';
  if (error instanceof RateLimiterUnavailable || error instanceof DatabaseUnavailable) return 'unavailable';
  if (error instanceof InvalidRequest) return 'invalid';
  return isAbort(error, signal) ? 'canceled' : 'failed';
}
