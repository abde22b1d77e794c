import {
  type AuthenticatorTransport,
  generateRegistrationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import { decodeAttestationObject, isoBase64URL, isoCBOR } from '@simplewebauthn/server/helpers';
import { z } from 'zod';
import { isUuid, type Uuid } from '../uuid.ts';
import { ALGORITHMS, CEREMONY_MS, verifying } from './ceremony.ts';
import { PasskeyRefused } from './errors.ts';
import type { Passkey, PasskeyDescriptor, UserVerification } from './passkey.ts';
import { readPublicKey } from './public-key.ts';
import type { RelyingParty } from './relying-party.ts';
import { base64url, clientDataJson, credentialIdJson, shaped } from './response-json.ts';
import { userHandleOf } from './user-handle.ts';

/** What a registration tells about the new passkey. */
export type NewPasskey = Pick<
  Passkey,
  'credentialId' | 'publicKey' | 'signCount' | 'aaguid' | 'transports' | 'deviceType' | 'backedUp'
> & { readonly userVerified: boolean };

const registrationJson = z.object({
  id: credentialIdJson,
  rawId: credentialIdJson,
  type: z.literal('public-key'),
  response: z.object({
    clientDataJSON: clientDataJson,
    attestationObject: base64url(32_768),
    // New kinds are kept as they are (WebAuthn section 5.8.4).
    transports: z
      .array(z.string().regex(/^[a-z-]{1,32}$/))
      .max(16)
      .default([]),
  }),
});

/**
 * What a browser needs to make a passkey: JSON for `PublicKeyCredential.parseCreationOptionsFromJSON()`. Discoverable
 * passkeys are preferred and not required: they sign in without an e-mail address, and a security key that has no room
 * for one still serves as the second factor. `exclude` are the user's other passkeys, so that no authenticator gets two.
 */
export function registrationOptions(options: {
  readonly relyingParty: RelyingParty;
  readonly user: { readonly id: Uuid; readonly name: string; readonly displayName: string };
  readonly exclude: readonly PasskeyDescriptor[];
  readonly challenge: Buffer;
  readonly userVerification: UserVerification;
}): Promise<PublicKeyCredentialCreationOptionsJSON> {
  const { relyingParty, user, exclude, challenge, userVerification } = options;
  return generateRegistrationOptions({
    rpID: relyingParty.id,
    rpName: relyingParty.name,
    userID: Uint8Array.from(userHandleOf(user.id)),
    userName: user.name,
    userDisplayName: user.displayName,
    challenge: Uint8Array.from(challenge),
    timeout: CEREMONY_MS,
    attestationType: 'none',
    supportedAlgorithmIDs: ALGORITHMS,
    authenticatorSelection: { residentKey: 'preferred', userVerification },
    excludeCredentials: exclude.map(({ credentialId, transports }) => ({
      id: credentialId.toString('base64url'),
      transports: [...transports] as AuthenticatorTransport[],
    })),
  });
}

/**
 * Verifies a registration (WebAuthn level 3 section 7.1). `response` is the JSON that `PublicKeyCredential.toJSON()`
 * made, parsed. That nobody has this credential id yet is for the caller to see to.
 *
 * @throws PasskeyRefused
 */
export async function verifyRegistration(options: {
  readonly relyingParty: RelyingParty;
  readonly response: unknown;
  readonly challenge: Buffer;
  readonly requireUserVerification: boolean;
}): Promise<NewPasskey> {
  const { relyingParty, challenge, requireUserVerification } = options;
  const { response, ...credential } = shaped(registrationJson, options.response);
  const { clientDataJSON, transports } = response;
  const { verified, registrationInfo } = await verifying(clientDataJSON, async () => {
    const result = await verifyRegistrationResponse({
      response: {
        ...credential,
        response: { clientDataJSON, attestationObject: withoutAttestation(response.attestationObject) },
        clientExtensionResults: {},
      },
      expectedChallenge: challenge.toString('base64url'),
      expectedOrigin: [...relyingParty.origins],
      expectedRPID: relyingParty.id,
      requireUserVerification,
      supportedAlgorithmIDs: ALGORITHMS,
    });
    if (result.verified) readPublicKey(result.registrationInfo.credential.publicKey);
    return result;
  });
  if (!verified) throw new PasskeyRefused('malformed');
  const credentialId = Buffer.from(registrationInfo.credential.id, 'base64url');
  // The browser reports the id beside what the authenticator made: one of both would be a lie.
  if (!credentialId.equals(Buffer.from(credential.id, 'base64url')))
    throw new PasskeyRefused('wrong_credential');
  return {
    credentialId,
    publicKey: Buffer.from(registrationInfo.credential.publicKey),
    signCount: registrationInfo.credential.counter,
    aaguid: knownModel(registrationInfo.aaguid),
    transports: [...new Set(transports)].sort(),
    deviceType: registrationInfo.credentialDeviceType === 'singleDevice' ? 'single_device' : 'multi_device',
    backedUp: registrationInfo.credentialBackedUp,
    userVerified: registrationInfo.userVerified,
  };
}

/**
 * No attestation is asked for, and none is looked at: some clients send one all the same. Its certificates would name
 * addresses to fetch revocation lists from, and an attacker could choose which.
 */
function withoutAttestation(attestationObject: string): string {
  const authData = decodeAttestationObject(isoBase64URL.toBuffer(attestationObject)).get('authData');
  const bare = new Map<string, string | Uint8Array | Map<string, string>>([
    ['fmt', 'none'],
    ['attStmt', new Map<string, string>()],
    ['authData', authData],
  ]);
  return isoBase64URL.fromBuffer(isoCBOR.encode(bare));
}

/** All zeros stand for an authenticator that keeps its model to itself. */
function knownModel(aaguid: string): Uuid | null {
  return isUuid(aaguid) && !/^[0-]+$/.test(aaguid) ? aaguid : null;
}
