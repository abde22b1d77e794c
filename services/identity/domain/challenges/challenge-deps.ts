import type { NetworkLocks } from '../credentials/network-throttle.ts';
import type { RecordRefusalDeps } from '../credentials/record-refusal.ts';
import type { SignInDetection } from '../detection/sign-in-detection.ts';
import type { TrustedDevicePolicy } from '../devices/trusted-device-policy.ts';
import type { Limiter } from '../limiter.ts';
import type { OpenSessionDeps } from '../open-session.ts';
import type { PasswordHasher } from '../password-hasher.ts';
import type { Passkeys } from '../second-factors/passkeys.ts';
import type { SecondFactorReads } from '../second-factors/second-factors.ts';
import type { SessionPolicy } from '../session-policy.ts';
import type { SessionStateCache } from '../session-state.ts';
import type { BeginChallengeDeps } from './begin-challenge.ts';
import type { ChallengeReads } from './challenge.ts';
import type { SessionProofDeps } from './session-proof.ts';

/** What beginning and completing challenges needs. */
export interface ChallengeDeps
  extends RecordRefusalDeps,
    OpenSessionDeps,
    BeginChallengeDeps,
    SessionProofDeps {
  readonly limiter: Limiter;
  readonly networkLocks: NetworkLocks;
  readonly hasher: PasswordHasher;
  readonly challengeReads: ChallengeReads;
  /** Outside a transaction. */
  readonly passkeyReads: Pick<Passkeys, 'findByCredentialId'>;
  readonly secondFactors: SecondFactorReads;
  readonly trustedDevicePolicy: TrustedDevicePolicy;
  readonly detection: SignInDetection;
  readonly sessionPolicy: Pick<SessionPolicy, 'beforeOpen' | 'goesOn'>;
  readonly stateCache: SessionStateCache;
  readonly now: () => Date;
}
