import { InvalidRefreshToken } from '../domain/errors.ts';
import { COMMON_OUTCOMES, commonOutcome } from './common-outcome.ts';

/** What answers of RefreshToken come to. */
export const REFRESH_OUTCOMES = ['refreshed', 'refused', 'reused', ...COMMON_OUTCOMES] as const;
export type RefreshOutcome = (typeof REFRESH_OUTCOMES)[number];

/** Of a refresh token that bought nothing. */
export function refreshOutcome(error: unknown, signal: AbortSignal): RefreshOutcome {
  if (error instanceof InvalidRefreshToken) return error.endedFamily ? 'reused' : 'refused';
  return commonOutcome(error, signal);
}
