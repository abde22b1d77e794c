import type { SessionProofDeps } from '../challenges/session-proof.ts';
import type { Limiter } from '../limiter.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import type { SecondFactorReads } from './second-factors.ts';

/** What authenticator apps, recovery codes and lists of second factors need. */
export interface SecondFactorDeps extends SessionProofDeps {
  readonly unitOfWork: UnitOfWork;
  readonly limiter: Limiter;
  readonly secondFactors: SecondFactorReads;
  /** The name under which authenticator apps show the account: 1 to 64 characters without a colon. */
  readonly totpIssuer: string;
}
