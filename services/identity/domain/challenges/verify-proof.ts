import type { AuthenticationMethod } from '../authentication-context.ts';
import type { Device } from '../device.ts';
import type { RelyingParty } from '../passkeys/relying-party.ts';
import { useRecoveryCode } from '../second-factors/use-recovery-code.ts';
import { verifyPasskey } from '../second-factors/verify-passkey.ts';
import { verifyTotp } from '../second-factors/verify-totp.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { User } from '../user.ts';
import type { Challenge } from './challenge.ts';

/** What a user shows to complete a challenge. */
export type Proof =
  | { readonly method: 'totp' | 'recovery_code'; readonly code: string }
  /** An AuthenticationResponseJSON of WebAuthn level 3. */
  | { readonly method: 'passkey'; readonly response: string }
  | {
      readonly method: 'password';
      /** Whether it is the account's. It was hashed before the transaction began, which would be kept waiting by that. */
      readonly matches: boolean;
    };

/** A proof that is right. */
export interface ShownProof {
  readonly amr: readonly AuthenticationMethod[];
  /** Recovery codes that are left, where one was used. */
  readonly recoveryCodesLeft?: number;
}

/**
 * Whether a proof is right for a challenge, and uses up what can be used once. The caller holds the user's row.
 *
 * @returns null where it is not: wrong, or not one that completes such a challenge.
 * @throws SecretUnreadable, DatabaseUnavailable
 */
export async function verifyProof(
  repositories: Repositories,
  {
    challenge,
    user,
    proof,
    relyingParty,
    device,
    at,
  }: {
    readonly challenge: Challenge;
    readonly user: Pick<User, 'id' | 'mfaEnabled'>;
    readonly proof: Proof;
    readonly relyingParty: RelyingParty | null;
    readonly device: Device;
    readonly at: Date;
  },
): Promise<ShownProof | null> {
  const { purpose, webauthnChallenge } = challenge;
  const userId = user.id;
  switch (proof.method) {
    case 'totp': {
      if (purpose === 'passkey_sign_in') return null;
      return (await verifyTotp(repositories, { userId, code: proof.code, at })) ? { amr: ['otp'] } : null;
    }
    case 'recovery_code': {
      if (purpose !== 'sign_in') return null;
      const used = await useRecoveryCode(repositories, { userId, code: proof.code, at });
      return used === null ? null : { amr: ['otp'], recoveryCodesLeft: used.left };
    }
    case 'password': {
      // A factor may have been added since the challenge began: the password alone is not enough any more.
      const isEnough = purpose === 'step_up' && !user.mfaEnabled;
      return isEnough && proof.matches ? { amr: ['pwd'] } : null;
    }
    case 'passkey': {
      if (relyingParty === null) return null;
      const isFirst = purpose === 'passkey_sign_in';
      const verified = await verifyPasskey(repositories, {
        relyingParty,
        userId: isFirst ? null : userId,
        response: proof.response,
        challenge: webauthnChallenge,
        requireUserVerification: isFirst,
        device,
        at,
      });
      return 'refused' in verified || verified.passkey.userId !== userId ? null : { amr: verified.amr };
    }
  }
}
