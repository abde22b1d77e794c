import { EmailAlreadyRegistered, HashingOverloaded, RequestIdReused } from '../domain/errors.ts';
import { COMMON_OUTCOMES, commonOutcome } from './common-outcome.ts';

/** What answers of Register come to. */
export const REGISTRATION_OUTCOMES = ['registered', 'taken', 'overloaded', ...COMMON_OUTCOMES] as const;
export type RegistrationOutcome = (typeof REGISTRATION_OUTCOMES)[number];

/** Of a registration that came to nothing. */
export function registrationOutcome(error: unknown, signal: AbortSignal): RegistrationOutcome {
  if (error instanceof EmailAlreadyRegistered) return 'taken';
  if (error instanceof RequestIdReused) return 'invalid';
  if (error instanceof HashingOverloaded) return 'overloaded';
  return commonOutcome(error, signal);
}
