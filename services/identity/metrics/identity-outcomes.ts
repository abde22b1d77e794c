import type { Metrics } from '../../../runtime/metrics/metrics.ts';
import { OutcomeCounter } from './outcome-counter.ts';
import { REFRESH_OUTCOMES, type RefreshOutcome, refreshOutcome } from './refresh-outcome.ts';
import {
  REGISTRATION_OUTCOMES,
  type RegistrationOutcome,
  registrationOutcome,
} from './registration-outcome.ts';
import { SIGN_IN_OUTCOMES, type SignInOutcome, signInOutcome } from './sign-in-outcome.ts';

/** What became of the calls by which users get in and stay in. */
export interface IdentityOutcomes {
  readonly signIns: OutcomeCounter<SignInOutcome>;
  readonly registrations: OutcomeCounter<RegistrationOutcome>;
  readonly refreshes: OutcomeCounter<RefreshOutcome>;
}

/** Begins to count them. */
export function countIdentityOutcomes(metrics: Metrics): IdentityOutcomes {
  return {
    signIns: new OutcomeCounter(metrics, {
      name: 'optix_identity_sign_ins_total',
      help: 'Answers of Authenticate and CompleteChallenge.',
      outcomes: SIGN_IN_OUTCOMES,
      outcomeOf: signInOutcome,
    }),
    registrations: new OutcomeCounter(metrics, {
      name: 'optix_identity_registrations_total',
      help: 'Answers of Register.',
      outcomes: REGISTRATION_OUTCOMES,
      outcomeOf: registrationOutcome,
    }),
    refreshes: new OutcomeCounter(metrics, {
      name: 'optix_identity_refreshes_total',
      help: 'Answers of RefreshToken.',
      outcomes: REFRESH_OUTCOMES,
      outcomeOf: refreshOutcome,
    }),
  };
}
