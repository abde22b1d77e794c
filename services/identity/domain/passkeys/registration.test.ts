import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Uuid } from '../uuid.ts';
import type { PasskeyRefusal } from './errors.ts';
import { recordedPasskeys, relyingParty } from './recorded-passkeys.ts';
import { registrationOptions, verifyRegistration } from './registration.ts';
import { FLAG, type Saying, TestAuthenticator } from './testing-authenticator.ts';

const userId = randomUUID() as Uuid;
const challenge = randomBytes(32);
const [es256] = recordedPasskeys;

function authenticator(): TestAuthenticator {
  return new TestAuthenticator({ userId, origin: 'https://app.example.com', rpId: 'example.com' });
}

/** One whose passkey has an id of no byte. */
function nameless(): TestAuthenticator {
  return Object.assign(authenticator(), { credentialId: Buffer.alloc(0) });
}

function verify(response: unknown, requireUserVerification = true) {
  return verifyRegistration({ relyingParty, response, challenge, requireUserVerification });
}

function refused(reason: PasskeyRefusal) {
  // The message is all of it that reaches a log.
  return expect.objectContaining({
    name: 'PasskeyRefused',
    reason,
    message: `the passkey was refused: ${reason}`,
  });
}

describe('options', () => {
  it('are what a browser needs', async () => {
    const other = { credentialId: randomBytes(16), transports: ['usb'] };
    const options = await registrationOptions({
      relyingParty,
      user: { id: userId, name: 'ada@example.com', displayName: 'Ada' },
      exclude: [other],
      challenge,
      userVerification: 'required',
    });
    expect(JSON.parse(JSON.stringify(options))).toMatchObject({
      rp: { id: 'example.com', name: 'Example' },
      user: {
        id: Buffer.from(userId.replaceAll('-', ''), 'hex').toString('base64url'),
        name: 'ada@example.com',
        displayName: 'Ada',
      },
      challenge: challenge.toString('base64url'),
      pubKeyCredParams: [
        { type: 'public-key', alg: -8 },
        { type: 'public-key', alg: -7 },
        { type: 'public-key', alg: -257 },
      ],
      timeout: 300_000,
      attestation: 'none',
      excludeCredentials: [
        { type: 'public-key', id: other.credentialId.toString('base64url'), transports: ['usb'] },
      ],
      authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
    });
  });
});

describe('a registration by a real browser', () => {
  it.each(recordedPasskeys)('gives the passkey: $name', async ({ name, registration }) => {
    const passkey = await verifyRegistration({
      relyingParty,
      ...registration,
      requireUserVerification: true,
    });
    expect(passkey).toEqual({
      credentialId: Buffer.from(registration.response.id, 'base64url'),
      publicKey: expect.any(Buffer),
      signCount: 1,
      aaguid: '01020304-0506-0708-0102-030405060708',
      transports: ['internal'],
      deviceType: name === 'EdDSA' ? 'multi_device' : 'single_device',
      backedUp: name === 'EdDSA',
      userVerified: true,
    });
  });

  it('is refused for a challenge, an origin or a relying party that is not ours', async () => {
    const { registration } = es256 ?? expect.fail();
    const real = { relyingParty, ...registration, requireUserVerification: true };
    await expect(verifyRegistration({ ...real, challenge })).rejects.toEqual(refused('wrong_challenge'));
    await expect(
      verifyRegistration({ ...real, relyingParty: { ...relyingParty, origins: ['https://example.com'] } }),
    ).rejects.toEqual(refused('wrong_origin'));
    await expect(
      verifyRegistration({ ...real, relyingParty: { ...relyingParty, id: 'app.example.com' } }),
    ).rejects.toEqual(refused('wrong_relying_party'));
  });
});

describe('a registration', () => {
  const refusals: [string, PasskeyRefusal, Saying][] = [
    ['is an assertion', 'wrong_type', { type: 'webauthn.get' }],
    ['names another kind in words of ours', 'wrong_type', { type: 'Unexpected RP ID hash' }],
    ['answers another challenge', 'wrong_challenge', { challenge: randomBytes(32) }],
    ['was made on another page', 'wrong_origin', { origin: 'https://example.com.evil.test' }],
    ['was made within a frame', 'cross_origin', { clientData: { crossOrigin: true } }],
    ['names the page around it', 'cross_origin', { clientData: { topOrigin: 'https://evil.test' } }],
    ['is for another relying party', 'wrong_relying_party', { rpId: 'evil.test' }],
    ['was made with nobody there', 'user_not_present', { flags: FLAG.userVerified }],
    ['was made without the check that is asked for', 'user_not_verified', { flags: FLAG.userPresent }],
    ['is backed up and may not be', 'malformed', { flags: 0x05 | FLAG.backedUp }],
  ];
  it.each(refusals)('that %s is refused: %s', async (_what, reason, saying) => {
    await expect(verify(authenticator().register(challenge, saying))).rejects.toEqual(refused(reason));
  });

  it('without user verification is good where none is asked for', async () => {
    const response = authenticator().register(challenge, { flags: FLAG.userPresent });
    await expect(verify(response, false)).resolves.toMatchObject({ userVerified: false });
  });

  it('with an attestation, which nobody asked for, counts as one without', async () => {
    const attestation = { fmt: 'packed', attStmt: new Map([['x5c', 'http://127.0.0.1:1/crl']]) };
    await expect(verify(authenticator().register(challenge, { attestation }))).resolves.toMatchObject({
      aaguid: null,
      deviceType: 'single_device',
    });
  });

  it('with an algorithm that was not offered is refused', async () => {
    const { response, ...credential } = authenticator().register(challenge);
    const object = Buffer.from(response.attestationObject, 'base64url');
    // ES256, -7, is 0x26 in CBOR, after the label 3; ES384, -35, takes another byte: 0x29, -10, is nothing.
    const at = object.indexOf(Buffer.from([0x03, 0x26]));
    object[at + 1] = 0x29;
    const other = {
      ...credential,
      response: { ...response, attestationObject: object.toString('base64url') },
    };
    await expect(verify(other)).rejects.toEqual(refused('unsupported_algorithm'));
  });

  it('that names another credential than the authenticator made is refused', async () => {
    const id = randomBytes(32).toString('base64url');
    const response = { ...authenticator().register(challenge), id, rawId: id };
    await expect(verify(response)).rejects.toEqual(refused('wrong_credential'));
  });

  it.each([
    ['nothing', null],
    ['a text', '{}'],
    ['a list', []],
    ['an object with nothing in it', {}],
    ['an id with padding', { ...authenticator().register(challenge), id: 'AA==', rawId: 'AA==' }],
    ['two ids', { ...authenticator().register(challenge), rawId: 'AAAA' }],
    ['another type', { ...authenticator().register(challenge), type: 'password' }],
    ['an id without a byte', { ...nameless().register(challenge), id: 'A', rawId: 'A' }],
    ['too long an id', { ...authenticator().register(challenge), id: 'A'.repeat(1365) }],
  ])('that is %s is malformed', async (_what, response) => {
    await expect(verify(response)).rejects.toEqual(refused('malformed'));
  });

  it.each(['clientDataJSON', 'attestationObject'] as const)('cut short in %s is malformed', async (part) => {
    const { response, ...credential } = authenticator().register(challenge);
    for (let length = 0; length < response[part].length; length += 4) {
      const cut = { ...credential, response: { ...response, [part]: response[part].slice(0, length) } };
      await expect(verify(cut), `${length} characters`).rejects.toEqual(refused('malformed'));
    }
  });

  it('of any bytes is refused, and breaks nothing', async () => {
    const { response, ...credential } = authenticator().register(challenge);
    for (let round = 0; round < 200; round++) {
      const attestationObject = randomBytes(1 + round).toString('base64url');
      const junk = { ...credential, response: { ...response, attestationObject } };
      await expect(verify(junk)).rejects.toEqual(refused('malformed'));
    }
    // Arrays within arrays: deeper than a stack.
    const deep = Buffer.alloc(32_768, 0x81).toString('base64url');
    const nested = { ...credential, response: { ...response, attestationObject: deep } };
    await expect(verify(nested)).rejects.toEqual(refused('malformed'));
  });
});
