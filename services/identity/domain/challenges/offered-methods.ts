import type { SecondFactorSummary } from '../second-factors/second-factors.ts';
import type { ChallengeMethod } from './challenge.ts';

/** What a user can complete a challenge with, the preferred factor first and recovery codes last. */
export function offeredMethods(
  { totpSince, passkeys, recoveryCodesLeft, preferred }: SecondFactorSummary,
  {
    withPasskeys,
    withRecoveryCodes,
  }: {
    /** False where no relying party is set up. */
    readonly withPasskeys: boolean;
    readonly withRecoveryCodes: boolean;
  },
): ChallengeMethod[] {
  const factors: ChallengeMethod[] = [];
  if (totpSince !== null) factors.push('totp');
  if (withPasskeys && passkeys.length > 0) factors.push('passkey');
  if (preferred === 'webauthn') factors.reverse();
  return withRecoveryCodes && recoveryCodesLeft > 0 ? [...factors, 'recovery_code'] : factors;
}
