import {
  type AuthenticationResponseJSON,
  type AuthenticatorTransport,
  generateAuthenticationOptions,
  type PublicKeyCredentialRequestOptionsJSON,
  verifyAuthenticationResponse,
} from '@simplewebauthn/server';
import { z } from 'zod';
import { CEREMONY_MS, verifying } from './ceremony.ts';
import { PasskeyRefused } from './errors.ts';
import type { DeviceType, Passkey, PasskeyDescriptor, UserVerification } from './passkey.ts';
import type { RelyingParty } from './relying-party.ts';
import { base64url, clientDataJson, credentialIdJson, parseResponse, shaped } from './response-json.ts';
import { userHandleOf } from './user-handle.ts';

/** An assertion whose shape is good, and nothing else is known of yet. */
export interface Assertion {
  readonly credentialId: Buffer;
  /** Always there where the passkey was found without being named (discoverable). */
  readonly userHandle: Buffer | null;
  readonly response: AuthenticationResponseJSON;
}

/** What a verified assertion tells, to be kept with the passkey. */
export interface VerifiedAssertion {
  readonly newSignCount: number;
  readonly userVerified: boolean;
  readonly backedUp: boolean;
  readonly deviceType: DeviceType;
}

/** WebAuthn section 5.4.3: a user handle has at most 64 bytes. */
const MAX_USER_HANDLE_BYTES = 64;

const assertionJson = z.object({
  id: credentialIdJson,
  rawId: credentialIdJson,
  type: z.literal('public-key'),
  response: z.object({
    clientDataJSON: clientDataJson,
    authenticatorData: base64url(4096),
    signature: base64url(2048),
    userHandle: base64url(MAX_USER_HANDLE_BYTES).or(z.literal('')).nullish(),
  }),
});

/**
 * What a browser needs to use a passkey: JSON for `PublicKeyCredential.parseRequestOptionsFromJSON()`. An empty `allow`
 * leaves the choice to the user, among the discoverable passkeys for the relying party.
 */
export function authenticationOptions(options: {
  readonly relyingParty: RelyingParty;
  readonly allow: readonly PasskeyDescriptor[];
  readonly challenge: Buffer;
  readonly userVerification: UserVerification;
}): Promise<PublicKeyCredentialRequestOptionsJSON> {
  const { relyingParty, allow, challenge, userVerification } = options;
  return generateAuthenticationOptions({
    rpID: relyingParty.id,
    challenge: Uint8Array.from(challenge),
    timeout: CEREMONY_MS,
    userVerification,
    allowCredentials: allow.map(({ credentialId, transports }) => ({
      id: credentialId.toString('base64url'),
      transports: [...transports] as AuthenticatorTransport[],
    })),
  });
}

/**
 * Reads the JSON that `PublicKeyCredential.toJSON()` made of an assertion, to find the passkey that it is of.
 *
 * @throws PasskeyRefused `malformed`.
 */
export function readAssertion(json: string): Assertion {
  const { response, ...credential } = shaped(assertionJson, parseResponse(json));
  const { userHandle, ...signed } = response;
  return {
    credentialId: Buffer.from(credential.id, 'base64url'),
    userHandle: userHandle ? Buffer.from(userHandle, 'base64url') : null,
    response: {
      ...credential,
      response: userHandle ? { ...signed, userHandle } : signed,
      clientExtensionResults: {},
    },
  };
}

/**
 * Verifies an assertion by a passkey (WebAuthn level 3 section 7.2).
 *
 * @throws PasskeyRefused. `sign_count_not_risen` says that everything else is good, the signature too: the
 *   authenticator has been copied, or two of its assertions arrive in another order than they were made.
 */
export async function verifyAssertion(options: {
  readonly relyingParty: RelyingParty;
  readonly response: AuthenticationResponseJSON;
  readonly challenge: Buffer;
  readonly passkey: Pick<Passkey, 'credentialId' | 'userId' | 'publicKey' | 'signCount' | 'deviceType'>;
  readonly requireUserVerification: boolean;
}): Promise<VerifiedAssertion> {
  const { relyingParty, response, challenge, passkey, requireUserVerification } = options;
  if (!isSame(response.id, passkey.credentialId)) throw new PasskeyRefused('wrong_credential');
  const { clientDataJSON, userHandle } = response.response;
  if (userHandle && !isSame(userHandle, userHandleOf(passkey.userId))) throw new PasskeyRefused('wrong_user');
  const { verified, authenticationInfo } = await verifying(clientDataJSON, () =>
    verifyAuthenticationResponse({
      response,
      expectedChallenge: challenge.toString('base64url'),
      expectedOrigin: [...relyingParty.origins],
      expectedRPID: relyingParty.id,
      requireUserVerification,
      credential: {
        id: response.id,
        publicKey: Uint8Array.from(passkey.publicKey),
        // The library looks at the count before the signature: anybody could make a passkey look copied.
        counter: 0,
      },
    }),
  );
  if (!verified) throw new PasskeyRefused('wrong_signature');
  const { newCounter, userVerified, credentialBackedUp, credentialDeviceType } = authenticationInfo;
  const deviceType = credentialDeviceType === 'singleDevice' ? 'single_device' : 'multi_device';
  if (deviceType !== passkey.deviceType) throw new PasskeyRefused('backup_eligibility_changed');
  // WebAuthn sections 6.1.1 and 7.2 step 22: both 0 means an authenticator that doesn't count.
  if ((newCounter !== 0 || passkey.signCount !== 0) && newCounter <= passkey.signCount) {
    throw new PasskeyRefused('sign_count_not_risen');
  }
  return { newSignCount: newCounter, userVerified, backedUp: credentialBackedUp, deviceType };
}

function isSame(text: string, bytes: Buffer): boolean {
  return Buffer.from(text, 'base64url').equals(bytes);
}
