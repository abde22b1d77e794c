import { authenticationOptions } from '../passkeys/authentication.ts';
import type { PasskeyDescriptor, UserVerification } from '../passkeys/passkey.ts';
import type { RelyingParty } from '../passkeys/relying-party.ts';

/**
 * What a browser needs to use one of these passkeys: the text of a PublicKeyCredentialRequestOptionsJSON (WebAuthn level 3
 * section 5.1.8). Without passkeys the user chooses among the discoverable ones.
 */
export async function requestOptions(
  relyingParty: RelyingParty,
  passkeys: readonly PasskeyDescriptor[],
  challenge: Buffer,
  userVerification: UserVerification,
): Promise<string> {
  return JSON.stringify(
    await authenticationOptions({ relyingParty, allow: passkeys, challenge, userVerification }),
  );
}
