import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Uuid } from '../uuid.ts';
import { authenticationOptions, readAssertion, verifyAssertion } from './authentication.ts';
import type { PasskeyRefusal } from './errors.ts';
import { recordedPasskeys, relyingParty } from './recorded-passkeys.ts';
import { type NewPasskey, verifyRegistration } from './registration.ts';
import { FLAG, type Saying, TestAuthenticator } from './testing-authenticator.ts';

const userId = randomUUID() as Uuid;
const challenge = randomBytes(32);
const authenticator = new TestAuthenticator({
  userId,
  origin: 'https://app.example.com',
  rpId: 'example.com',
});
const passkey = { ...(await register(authenticator)), userId };

function register(made: TestAuthenticator, saying: Saying = {}): Promise<NewPasskey> {
  const response = made.register(challenge, saying);
  return verifyRegistration({ relyingParty, response, challenge, requireUserVerification: false });
}

function recordedPasskey({ userId, registration }: (typeof recordedPasskeys)[number]) {
  return verifyRegistration({ relyingParty, ...registration, requireUserVerification: true }).then(
    (made) => ({
      ...made,
      userId,
    }),
  );
}

function verify(response: object, overrides: Partial<Parameters<typeof verifyAssertion>[0]> = {}) {
  const assertion = readAssertion(JSON.stringify(response));
  return verifyAssertion({
    relyingParty,
    challenge,
    passkey,
    requireUserVerification: true,
    ...overrides,
    response: assertion.response,
  });
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
  it('name the passkeys that will do', async () => {
    const options = await authenticationOptions({
      relyingParty,
      allow: [passkey],
      challenge,
      userVerification: 'preferred',
    });
    expect(JSON.parse(JSON.stringify(options))).toEqual({
      rpId: 'example.com',
      challenge: challenge.toString('base64url'),
      timeout: 300_000,
      userVerification: 'preferred',
      allowCredentials: [
        { type: 'public-key', id: passkey.credentialId.toString('base64url'), transports: ['internal'] },
      ],
    });
  });

  it('name none where the user is to choose', async () => {
    const options = { relyingParty, allow: [], challenge, userVerification: 'required' } as const;
    await expect(authenticationOptions(options)).resolves.toMatchObject({ allowCredentials: [] });
  });
});

describe('an assertion by a real browser', () => {
  it.each(recordedPasskeys)('signs in: $name', async (recorded) => {
    const { credentialId, userHandle } = readAssertion(JSON.stringify(recorded.assertion.response));
    expect(credentialId.toString('base64url')).toBe(recorded.registration.response.id);
    expect(userHandle?.toString('hex')).toBe(recorded.userId.replaceAll('-', ''));
    const { response, challenge } = recorded.assertion;
    await expect(verify(response, { challenge, passkey: await recordedPasskey(recorded) })).resolves.toEqual({
      newSignCount: 2,
      userVerified: true,
      backedUp: recorded.name === 'EdDSA',
      deviceType: recorded.name === 'EdDSA' ? 'multi_device' : 'single_device',
    });
  });

  it.each(recordedPasskeys)('is refused with the public key of another passkey: $name', async (recorded) => {
    const { response, challenge } = recorded.assertion;
    const own = await recordedPasskey(recorded);
    for (const other of recordedPasskeys) {
      if (other === recorded) continue;
      const { publicKey } = await recordedPasskey(other);
      await expect(verify(response, { challenge, passkey: { ...own, publicKey } })).rejects.toEqual(
        expect.objectContaining({ reason: expect.stringMatching(/^(wrong_signature|malformed)$/) }),
      );
    }
  });

  it.each(recordedPasskeys)('is refused with any bit of it changed: $name', async (recorded) => {
    const { response, challenge } = recorded.assertion;
    const own = await recordedPasskey(recorded);
    for (const part of ['authenticatorData', 'signature', 'clientDataJSON'] as const) {
      const bytes = Buffer.from(response.response[part], 'base64url');
      // The library reads past some faults of the header of an ECDSA signature, which is no part of r and s.
      const start = recorded.name === 'ES256' && part === 'signature' ? 2 : 0;
      for (let bit = start * 8; bit < bytes.length * 8; bit++) {
        const changed = Buffer.from(bytes);
        changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        const forged = {
          ...response,
          response: { ...response.response, [part]: changed.toString('base64url') },
        };
        await expect(
          verify(forged, { challenge, passkey: own }),
          `${part}, bit ${bit}`,
        ).rejects.toHaveProperty('name', 'PasskeyRefused');
      }
    }
  });
});

describe('an assertion', () => {
  const refusals: [string, PasskeyRefusal, Saying][] = [
    ['is a registration', 'wrong_type', { type: 'webauthn.create' }],
    ['names another kind in words of ours', 'wrong_type', { type: 'Unexpected RP ID hash' }],
    ['answers another challenge', 'wrong_challenge', { challenge: randomBytes(32) }],
    ['answers the empty challenge', 'wrong_challenge', { challenge: Buffer.alloc(0) }],
    ['was made on another page', 'wrong_origin', { origin: 'https://example.com.evil.test' }],
    ['was made on a page over http', 'wrong_origin', { origin: 'http://app.example.com' }],
    ['was made within a frame', 'cross_origin', { clientData: { crossOrigin: true } }],
    [
      'was made within a frame of another page',
      'cross_origin',
      { clientData: { crossOrigin: true, topOrigin: 'https://evil.test' } },
    ],
    ['names the page around it', 'cross_origin', { clientData: { topOrigin: 'https://evil.test' } }],
    ['is for another relying party', 'wrong_relying_party', { rpId: 'evil.test' }],
    ['was made with nobody there', 'user_not_present', { flags: FLAG.userVerified }],
    ['was made without the check that is asked for', 'user_not_verified', { flags: FLAG.userPresent }],
    ['is backed up and may not be', 'malformed', { flags: 0x05 | FLAG.backedUp }],
    ['may be backed up since', 'backup_eligibility_changed', { flags: 0x05 | FLAG.backupEligible }],
  ];
  it.each(refusals)('that %s is refused: %s', async (_what, reason, saying) => {
    await expect(verify(authenticator.assert(challenge, saying))).rejects.toEqual(refused(reason));
  });

  it('without user verification is good where none is asked for, and tells', async () => {
    const response = authenticator.assert(challenge, { flags: FLAG.userPresent });
    await expect(verify(response, { requireUserVerification: false })).resolves.toMatchObject({
      userVerified: false,
    });
  });

  it('of a passkey that may be backed up tells whether it is', async () => {
    const synchronised = new TestAuthenticator({
      userId,
      origin: 'https://example.com',
      rpId: 'example.com',
    });
    const own = { ...(await register(synchronised, { flags: 0x05 | FLAG.backupEligible })), userId };
    expect(own).toMatchObject({ deviceType: 'multi_device', backedUp: false });
    const response = synchronised.assert(challenge, { flags: 0x05 | FLAG.backupEligible | FLAG.backedUp });
    await expect(verify(response, { passkey: own })).resolves.toMatchObject({ backedUp: true });
  });

  it('by another passkey is refused, also where it claims this one', async () => {
    const other = new TestAuthenticator({ userId, origin: 'https://app.example.com', rpId: 'example.com' });
    const response = other.assert(challenge);
    await expect(verify(response)).rejects.toEqual(refused('wrong_credential'));
    const id = authenticator.credentialId.toString('base64url');
    await expect(verify({ ...response, id, rawId: id })).rejects.toEqual(refused('wrong_signature'));
  });

  it('for another user is refused', async () => {
    const owner = { ...passkey, userId: randomUUID() as Uuid };
    await expect(verify(authenticator.assert(challenge), { passkey: owner })).rejects.toEqual(
      refused('wrong_user'),
    );
  });

  it('without a user handle is good: the passkey was named', async () => {
    const { response, ...credential } = authenticator.assert(challenge);
    for (const userHandle of [undefined, null, '']) {
      const unnamed = { ...credential, response: { ...response, userHandle } };
      expect(readAssertion(JSON.stringify(unnamed)).userHandle).toBeNull();
      await expect(verify(unnamed)).resolves.toMatchObject({ userVerified: true });
    }
  });
});

describe('the count of signatures', () => {
  it.each([
    [0, 0],
    [0, 1],
    [1, 2],
    [7, 4_294_967_295],
  ])('may go from %i to %i', async (signCount, received) => {
    const response = authenticator.assert(challenge, { signCount: received });
    await expect(verify(response, { passkey: { ...passkey, signCount } })).resolves.toMatchObject({
      newSignCount: received,
    });
  });

  it.each([
    [1, 0],
    [1, 1],
    [8, 7],
  ])('may not go from %i to %i', async (signCount, received) => {
    const response = authenticator.assert(challenge, { signCount: received });
    await expect(verify(response, { passkey: { ...passkey, signCount } })).rejects.toEqual(
      refused('sign_count_not_risen'),
    );
  });

  it('says nothing about an assertion that anybody could have made up', async () => {
    const forger = new TestAuthenticator({ userId, origin: 'https://app.example.com', rpId: 'example.com' });
    const id = authenticator.credentialId.toString('base64url');
    const response = { ...forger.assert(challenge, { signCount: 3 }), id, rawId: id };
    await expect(verify(response, { passkey: { ...passkey, signCount: 8 } })).rejects.toEqual(
      refused('wrong_signature'),
    );
  });
});

describe('JSON that is no assertion', () => {
  const whole = JSON.stringify(authenticator.assert(challenge));
  const { response, ...credential } = authenticator.assert(challenge);

  it('cut short anywhere', () => {
    for (let length = 0; length < whole.length; length++) {
      expect(() => readAssertion(whole.slice(0, length)), `${length} characters`).toThrow(
        refused('malformed'),
      );
    }
  });

  it.each([
    ['a number', 7],
    ['null', null],
    ['an id that is no text', { ...credential, id: 7, response }],
    ['an id in plain base64', { ...credential, id: 'a+b/', rawId: 'a+b/', response }],
    ['a signature in plain base64', { ...credential, response: { ...response, signature: 'a+b=' } }],
    ['no signature', { ...credential, response: { ...response, signature: undefined } }],
    ['a user handle of 65 bytes', { ...credential, response: { ...response, userHandle: 'A'.repeat(87) } }],
    ['long client data', { ...credential, response: { ...response, clientDataJSON: 'A'.repeat(5464) } }],
    ['a long id', { ...credential, id: 'A'.repeat(1365), rawId: 'A'.repeat(1365), response }],
    ['another type', { ...credential, type: 'password', response }],
  ])('%s', (_what, value) => {
    expect(() => readAssertion(JSON.stringify(value))).toThrow(refused('malformed'));
  });

  it('longer than any', () => {
    expect(readAssertion(whole + ' '.repeat(65_536 - whole.length)).credentialId).toEqual(
      authenticator.credentialId,
    );
    expect(() => readAssertion(whole + ' '.repeat(65_537 - whole.length))).toThrow(refused('malformed'));
  });

  it('with more than is asked for keeps only what is', () => {
    const more = { ...credential, authenticatorAttachment: 'platform', surplus: 1, response };
    expect(readAssertion(JSON.stringify(more)).response).not.toHaveProperty('surplus');
  });
});
