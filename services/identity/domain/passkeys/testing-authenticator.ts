import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  type KeyPairKeyObjectResult,
  randomBytes,
  sign,
} from 'node:crypto';
import { isoCBOR } from '@simplewebauthn/server/helpers';
import type { Uuid } from '../uuid.ts';
import { userHandleOf } from './user-handle.ts';

/** Flags of authenticator data (WebAuthn section 6.1). */
export const FLAG = { userPresent: 0x01, userVerified: 0x04, backupEligible: 0x08, backedUp: 0x10 } as const;
const ATTESTED_CREDENTIAL = 0x40;

/** What one ceremony says, where it differs from what the authenticator and the browser would say. */
export interface Saying {
  readonly type?: string;
  readonly challenge?: Buffer;
  readonly origin?: string;
  /** Further members of the client data, for example `crossOrigin`. */
  readonly clientData?: Readonly<Record<string, unknown>>;
  readonly rpId?: string;
  /** Of {@link FLAG}. Default: user present and verified. */
  readonly flags?: number;
  readonly signCount?: number;
  readonly attestation?: { readonly fmt: string; readonly attStmt: Map<string, string | Uint8Array> };
}

/**
 * An authenticator and the browser in front of it, for tests of what a real one would not say, or not so often at once. It
 * has one passkey.
 */
export class TestAuthenticator {
  readonly credentialId = randomBytes(32);
  readonly #userId: Uuid;
  readonly #origin: string;
  readonly #rpId: string;
  readonly #algorithm: 'ES256' | 'EdDSA';
  readonly #keys: KeyPairKeyObjectResult;

  constructor(made: {
    readonly userId: Uuid;
    readonly origin: string;
    readonly rpId: string;
    readonly algorithm?: 'ES256' | 'EdDSA';
  }) {
    this.#userId = made.userId;
    this.#origin = made.origin;
    this.#rpId = made.rpId;
    this.#algorithm = made.algorithm ?? 'ES256';
    this.#keys =
      this.#algorithm === 'EdDSA'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  }

  /** @returns a RegistrationResponseJSON. */
  register(challenge: Buffer, saying: Saying = {}) {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(this.credentialId.length);
    const authData = Buffer.concat([
      this.#authenticatorData(saying, ATTESTED_CREDENTIAL),
      Buffer.alloc(16),
      length,
      this.credentialId,
      coseKey(this.#keys.publicKey),
    ]);
    const { fmt, attStmt } = saying.attestation ?? { fmt: 'none', attStmt: new Map<string, string>() };
    const object = new Map<string, string | Uint8Array | Map<string, string | Uint8Array>>([
      ['fmt', fmt],
      ['attStmt', attStmt],
      ['authData', Uint8Array.from(authData)],
    ]);
    return this.#credential({
      clientDataJSON: this.#clientData('webauthn.create', challenge, saying).toString('base64url'),
      attestationObject: Buffer.from(isoCBOR.encode(object)).toString('base64url'),
      transports: ['internal'],
    });
  }

  /** @returns an AuthenticationResponseJSON. */
  assert(challenge: Buffer, saying: Saying = {}) {
    const clientData = this.#clientData('webauthn.get', challenge, saying);
    const authenticatorData = this.#authenticatorData(saying, 0);
    const signed = Buffer.concat([authenticatorData, sha256(clientData)]);
    return this.#credential({
      clientDataJSON: clientData.toString('base64url'),
      authenticatorData: authenticatorData.toString('base64url'),
      signature: sign(this.#algorithm === 'EdDSA' ? null : 'sha256', signed, this.#keys.privateKey).toString(
        'base64url',
      ),
      userHandle: userHandleOf(this.#userId).toString('base64url'),
    });
  }

  #credential<R>(response: R) {
    const id = this.credentialId.toString('base64url');
    return { id, rawId: id, type: 'public-key' as const, response, clientExtensionResults: {} };
  }

  #clientData(type: string, challenge: Buffer, saying: Saying): Buffer {
    const client = {
      type: saying.type ?? type,
      challenge: (saying.challenge ?? challenge).toString('base64url'),
      origin: saying.origin ?? this.#origin,
      crossOrigin: false,
    };
    return Buffer.from(JSON.stringify({ ...client, ...saying.clientData }));
  }

  #authenticatorData({ rpId, flags, signCount = 0 }: Saying, moreFlags: number): Buffer {
    const rest = Buffer.alloc(5);
    rest.writeUInt8((flags ?? FLAG.userPresent | FLAG.userVerified) | moreFlags);
    rest.writeUInt32BE(signCount, 1);
    return Buffer.concat([sha256(Buffer.from(rpId ?? this.#rpId)), rest]);
  }
}

/** RFC 9053 section 7: kty EC2, alg ES256, crv P-256, x and y; or kty OKP, alg EdDSA, crv Ed25519 and x. */
function coseKey(publicKey: KeyObject): Uint8Array {
  const { x = '', y } = publicKey.export({ format: 'jwk' });
  const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'base64url'));
  const key = new Map<number, number | Uint8Array>(
    y === undefined
      ? [
          [1, 1],
          [3, -8],
          [-1, 6],
          [-2, bytes(x)],
        ]
      : [
          [1, 2],
          [3, -7],
          [-1, 1],
          [-2, bytes(x)],
          [-3, bytes(y)],
        ],
  );
  return isoCBOR.encode(key);
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
