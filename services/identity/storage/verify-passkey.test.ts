import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newWebauthnChallenge } from '../domain/challenges/challenge.ts';
import type { Passkey } from '../domain/passkeys/passkey.ts';
import { FLAG, type TestAuthenticator } from '../domain/passkeys/testing-authenticator.ts';
import { requestOptions } from '../domain/second-factors/passkey-options.ts';
import { verifyPasskey } from '../domain/second-factors/verify-passkey.ts';
import { eventsIn } from './testing-credentials.ts';
import { DEVICE } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { RELYING_PARTY, TestPasskeys } from './testing-passkeys.ts';
import type { TestSignIn } from './testing-second-factors.ts';

const SYNCED = FLAG.userPresent | FLAG.userVerified | FLAG.backupEligible;

let db: TestOrm;
let passkeys: TestPasskeys;
let signedIn: TestSignIn;
let authenticator: TestAuthenticator;
let passkey: Passkey;
beforeAll(async () => {
  db = await openTestOrm({ connectTimeoutMs: 30_000 });
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  passkeys = await TestPasskeys.open(db);
  signedIn = await passkeys.factors.signIn(['pwd', 'otp']);
  authenticator = passkeys.authenticator();
  ({ passkey } = await passkeys.register(signedIn, authenticator, { signCount: 5 }));
  await db.rows('truncate user_service.security_events, user_service.outgoing_mails');
});

/** An authenticator that does not count, and is registered. */
async function uncounted(): Promise<TestAuthenticator> {
  const made = passkeys.authenticator(undefined, 'EdDSA');
  await passkeys.register(signedIn, made);
  await db.rows('truncate user_service.security_events');
  return made;
}

const countIn = async () => (await passkeys.stored())[0]?.['sign_count'];

describe('an assertion', () => {
  test('by one of the user’s passkeys is good, and its use is written down', async () => {
    const at = passkeys.factors.identity.now();
    const verified = await passkeys.verify(authenticator, { signCount: 6 }, { at });
    expect(verified).toEqual({
      passkey: { ...passkey, signCount: 6, lastUsedAt: at },
      amr: ['hwk', 'user', 'mfa'],
    });
    expect(await passkeys.stored()).toMatchObject([{ sign_count: '6', last_used_at: at, backed_up: false }]);
    expect(await eventsIn(db)).toEqual([]);
  });

  test('may be by any of several', async () => {
    const second = passkeys.authenticator(undefined, 'EdDSA');
    const { passkey: synced } = await passkeys.register(signedIn, second, { flags: SYNCED });
    expect(await passkeys.verify(second, { flags: SYNCED | FLAG.backedUp })).toMatchObject({
      passkey: { id: synced.id, backedUp: true },
      amr: ['swk', 'user', 'mfa'],
    });
    expect(await passkeys.verify(authenticator, { signCount: 6 })).toMatchObject({
      passkey: { id: passkey.id },
    });
    expect(await passkeys.stored()).toMatchObject([{ backed_up: false }, { backed_up: true }]);
  });

  test('without a check of the user is one factor, and none where the check is required', async () => {
    const saying = { flags: FLAG.userPresent, signCount: 6 };
    expect(await passkeys.verify(authenticator, saying)).toMatchObject({ amr: ['hwk', 'user'] });
    expect(
      await passkeys.verify(authenticator, { ...saying, signCount: 7 }, { requireUserVerification: true }),
    ).toEqual({ refused: 'user_not_verified' });
    expect(await countIn()).toBe('6');
  });

  test.each([
    ['for another challenge', { challenge: Buffer.alloc(32) }, 'wrong_challenge'],
    ['from another page', { origin: 'https://app.example.net' }, 'wrong_origin'],
    ['for another relying party', { rpId: 'example.net' }, 'wrong_relying_party'],
    ['as a registration', { type: 'webauthn.create' }, 'wrong_type'],
  ])('made %s is refused, and changes nothing', async (_, saying, refused) => {
    const before = await passkeys.stored();
    expect(await passkeys.verify(authenticator, { ...saying, signCount: 6 })).toEqual({ refused });
    expect(await passkeys.stored()).toEqual(before);
    expect(await eventsIn(db)).toEqual([]);
  });

  test.each(['', '{}', 'null', '{"id":', 'x'.repeat(70_000)])(
    'is refused as a text that is none: %.20j',
    async (response) => {
      expect(await passkeys.verify(authenticator, {}, { response })).toEqual({ refused: 'malformed' });
    },
  );

  test('by a passkey that nobody has is refused', async () => {
    expect(await passkeys.verify(passkeys.authenticator())).toEqual({ refused: 'wrong_credential' });
  });

  test('by another user’s passkey is refused, whomever it says it is of', async () => {
    const { factors } = passkeys;
    const grace = await factors.identity.register('grace@example.com');
    const hers = passkeys.authenticator(grace.id);
    await passkeys.register(await factors.signIn(['pwd', 'otp'], grace), hers);
    expect(await passkeys.verify(hers)).toEqual({ refused: 'wrong_user' });
    const challenge = newWebauthnChallenge();
    const { response, ...rest } = hers.assert(challenge);
    const { userHandle: _, ...silent } = response;
    const text = JSON.stringify({ ...rest, response: silent });
    expect(await passkeys.verify(hers, {}, { challenge, response: text })).toEqual({ refused: 'wrong_user' });
  });

  test('that is not committed leaves no trace', async () => {
    const { unitOfWork, now } = passkeys.factors.identity;
    const challenge = newWebauthnChallenge();
    const failed = unitOfWork.transactional(async (repositories) => {
      const verified = await verifyPasskey(repositories, {
        relyingParty: RELYING_PARTY,
        userId: passkeys.factors.ada.id,
        response: JSON.stringify(authenticator.assert(challenge, { signCount: 6 })),
        challenge,
        requireUserVerification: false,
        device: DEVICE,
        at: now(),
      });
      expect(verified).toMatchObject({ passkey: { signCount: 6 } });
      throw new Error('something else failed');
    });
    await expect(failed).rejects.toThrow('something else failed');
    expect(await countIn()).toBe('5');
  });
});

describe('without a name, the passkey tells who it is', () => {
  const unnamed = { userId: null, requireUserVerification: true } as const;

  test('by its user handle', async () => {
    expect(await passkeys.verify(authenticator, { signCount: 6 }, unnamed)).toMatchObject({
      passkey: { userId: passkeys.factors.ada.id },
    });
  });

  test('and without a handle, or with one of somebody else, it is refused', async () => {
    const challenge = newWebauthnChallenge();
    const { response, ...rest } = authenticator.assert(challenge, { signCount: 6 });
    for (const userHandle of [undefined, '', null, Buffer.alloc(16, 7).toString('base64url')]) {
      const text = JSON.stringify({ ...rest, response: { ...response, userHandle } });
      expect(await passkeys.verify(authenticator, {}, { ...unnamed, challenge, response: text })).toEqual({
        refused: 'wrong_user',
      });
    }
    expect(await countIn()).toBe('5');
  });
});

describe('a count that did not rise', () => {
  test.each([5, 4, 0])(
    '(%i after 5) is refused, and recorded as a copied authenticator',
    async (signCount) => {
      expect(await passkeys.verify(authenticator, { signCount })).toEqual({
        refused: 'sign_count_not_risen',
      });
      expect(await countIn()).toBe('5');
      expect(await eventsIn(db)).toMatchObject([
        {
          event_type: 'passkey_cloned',
          severity: 'high',
          user_id: passkeys.factors.ada.id,
          device_fingerprint: 'fp-1',
          metadata: { passkey_id: passkey.id, sign_count: 5 },
        },
      ]);
    },
  );

  test('is not recorded without the passkey’s signature: anybody could say so', async () => {
    const challenge = newWebauthnChallenge();
    const { response, ...rest } = authenticator.assert(challenge, { signCount: 1 });
    const { signature } = passkeys.authenticator().assert(challenge, { signCount: 1 }).response;
    const text = JSON.stringify({ ...rest, response: { ...response, signature } });
    expect(await passkeys.verify(authenticator, {}, { challenge, response: text })).toEqual({
      refused: 'wrong_signature',
    });
    expect(await eventsIn(db)).toEqual([]);
  });

  test('is fine for an authenticator that does not count', async () => {
    const made = await uncounted();
    for (let use = 0; use < 3; use++)
      expect(await passkeys.verify(made)).toMatchObject({ amr: expect.any(Array) });
    expect(await eventsIn(db)).toEqual([]);
  });
});

describe('of 100 assertions at once', () => {
  test('with rising counts, those are good that came in their order, and the highest count is kept', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, index) => passkeys.verify(authenticator, { signCount: 6 + index })),
    );
    const refused = outcomes.filter((outcome) => 'refused' in outcome);
    expect(refused).toEqual(refused.map(() => ({ refused: 'sign_count_not_risen' })));
    // Nothing is above the last one, whenever it comes.
    expect(outcomes.at(-1)).toMatchObject({ passkey: { signCount: 105 } });
    expect(await countIn()).toBe('105');
    expect(await eventsIn(db)).toHaveLength(refused.length);
  });

  test('with one count, one is good', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, () => passkeys.verify(authenticator, { signCount: 6 })),
    );
    expect(outcomes.filter((outcome) => 'passkey' in outcome)).toHaveLength(1);
    expect(await eventsIn(db)).toHaveLength(99);
  });

  test('of an authenticator that does not count, all are good', async () => {
    const made = await uncounted();
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => passkeys.verify(made)));
    expect(outcomes.filter((outcome) => 'passkey' in outcome)).toHaveLength(100);
    expect(await eventsIn(db)).toEqual([]);
  });
});

test('a browser is told which passkeys will do, or none where the user is to choose', async () => {
  const challenge = newWebauthnChallenge();
  expect(JSON.parse(await requestOptions(RELYING_PARTY, [passkey], challenge, 'preferred'))).toMatchObject({
    rpId: 'example.com',
    challenge: challenge.toString('base64url'),
    userVerification: 'preferred',
    allowCredentials: [{ id: passkey.credentialId.toString('base64url'), transports: ['internal'] }],
  });
  expect(JSON.parse(await requestOptions(RELYING_PARTY, [], challenge, 'required'))).toMatchObject({
    userVerification: 'required',
    allowCredentials: [],
  });
});
