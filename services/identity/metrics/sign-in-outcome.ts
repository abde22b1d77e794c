import { InvalidChallenge } from '../domain/challenges/errors.ts';
import type { Refusal } from '../domain/credentials/record-refusal.ts';
import { HashingOverloaded, InvalidCredentials } from '../domain/errors.ts';
import { SecondFactorRefused } from '../domain/second-factors/errors.ts';
import { COMMON_OUTCOMES, commonOutcome } from './common-outcome.ts';

/** What answers of Authenticate and CompleteChallenge come to. */
export const SIGN_IN_OUTCOMES = [
  'signed_in',
  'challenged',
  'stepped_up',
  'wrong_credentials',
  'wrong_proof',
  'locked',
  'not_allowed',
  'overloaded',
  ...COMMON_OUTCOMES,
] as const;
export type SignInOutcome = (typeof SIGN_IN_OUTCOMES)[number];

/** The outcomes in which refusals differ, though callers are told nothing but that they are. */
const OF_REFUSAL: Partial<Record<Refusal, SignInOutcome>> = {
  account_locked: 'locked',
  detection_lock: 'locked',
  account_not_active: 'not_allowed',
  account_changed: 'not_allowed',
};

/** Of a call that was not answered with tokens or a challenge. */
export function signInOutcome(error: unknown, signal: AbortSignal): SignInOutcome {
  if (error instanceof InvalidCredentials) return ofRefusal(error.refusal, 'wrong_credentials');
  if (error instanceof SecondFactorRefused) return ofRefusal(error.refusal, 'wrong_proof');
  if (error instanceof InvalidChallenge) return 'invalid';
  if (error instanceof HashingOverloaded) return 'overloaded';
  return commonOutcome(error, signal);
}

function ofRefusal(refusal: Refusal | null, otherwise: SignInOutcome): SignInOutcome {
  return (refusal === null ? undefined : OF_REFUSAL[refusal]) ?? otherwise;
}
