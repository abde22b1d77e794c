import { v7 as uuidV7 } from 'uuid';
import type { AuthenticationMethod } from '../authentication-context.ts';
import type { Device } from '../device.ts';
import { amrOf } from '../passkeys/amr.ts';
import {
  type Assertion,
  readAssertion,
  type VerifiedAssertion,
  verifyAssertion,
} from '../passkeys/authentication.ts';
import { type PasskeyRefusal, PasskeyRefused } from '../passkeys/errors.ts';
import type { Passkey } from '../passkeys/passkey.ts';
import type { RelyingParty } from '../passkeys/relying-party.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';

/** What a passkey is to prove, and what its authenticator answered. */
export interface PasskeyProof {
  readonly relyingParty: RelyingParty;
  /** Whose passkey it has to be; null where it tells whose it is (discoverable). */
  readonly userId: Uuid | null;
  /** An AuthenticationResponseJSON (WebAuthn level 3 section 5.1), as it came. */
  readonly response: string;
  readonly challenge: Buffer;
  readonly requireUserVerification: boolean;
  readonly device: Device;
  readonly at: Date;
}

type PasskeyRepositories = Pick<Repositories, 'passkeys' | 'securityEvents'>;

/**
 * Verifies an assertion by a passkey and writes the use down. A refusal changes nothing, but for one: an authenticator
 * whose count did not rise is recorded as copied, so the transaction has to be committed in any case.
 *
 * Takes the user's row before the passkey's, and holds both until the transaction ends.
 *
 * @returns the passkey as it is now with the methods that it stands for, or why it was refused.
 * @throws DatabaseUnavailable
 */
export async function verifyPasskey(
  repositories: PasskeyRepositories,
  proof: PasskeyProof,
): Promise<
  | { readonly passkey: Passkey; readonly amr: readonly AuthenticationMethod[] }
  | { readonly refused: PasskeyRefusal }
> {
  try {
    const assertion = readAssertion(proof.response);
    for (;;) {
      const passkey = await find(repositories, proof, assertion);
      const verified = await verify(repositories, proof, assertion, passkey);
      const used = await recordUse(repositories, passkey, verified, proof.at);
      if (used !== null) return { passkey: used, amr: amrOf(verified) };
      // Another use came between: whether the count has risen is to be seen from that one.
    }
  } catch (error) {
    if (error instanceof PasskeyRefused) return { refused: error.reason };
    throw error;
  }
}

async function find(
  { passkeys }: PasskeyRepositories,
  { userId }: PasskeyProof,
  { credentialId, userHandle }: Assertion,
): Promise<Passkey> {
  const passkey = await passkeys.findByCredentialId(credentialId);
  if (passkey === null) throw new PasskeyRefused('wrong_credential');
  // That a handle that came is the passkey's user's is checked with the rest (WebAuthn section 7.2 step 6).
  const isUsers = userId === null ? userHandle !== null : passkey.userId === userId;
  if (!isUsers) throw new PasskeyRefused('wrong_user');
  return passkey;
}

async function verify(
  { securityEvents }: PasskeyRepositories,
  { relyingParty, challenge, requireUserVerification, device, at }: PasskeyProof,
  { response }: Assertion,
  passkey: Passkey,
): Promise<VerifiedAssertion> {
  try {
    return await verifyAssertion({ relyingParty, response, challenge, passkey, requireUserVerification });
  } catch (error) {
    if (error instanceof PasskeyRefused && error.reason === 'sign_count_not_risen') {
      await securityEvents.append({
        id: uuidV7() as Uuid,
        type: 'passkey_cloned',
        severity: 'high',
        description: 'The count of a passkey did not rise: its authenticator may have been copied.',
        userId: passkey.userId,
        sessionId: null,
        device,
        metadata: { passkey_id: passkey.id, sign_count: passkey.signCount },
        createdAt: at,
      });
    }
    throw error;
  }
}

/** Null where another use came between. */
async function recordUse(
  { passkeys }: PasskeyRepositories,
  passkey: Passkey,
  { newSignCount, backedUp }: VerifiedAssertion,
  at: Date,
): Promise<Passkey | null> {
  const { id, signCount: checkedSignCount } = passkey;
  const isRecorded = await passkeys.recordUse({
    id,
    checkedSignCount,
    signCount: newSignCount,
    backedUp,
    at,
  });
  return isRecorded ? { ...passkey, signCount: newSignCount, backedUp, lastUsedAt: at } : null;
}
