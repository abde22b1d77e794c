import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { withTestClient } from '../../../testing/database-admin.ts';
import { createChallengeToken } from '../domain/challenges/challenge.ts';
import {
  InvalidAccessToken,
  InvalidChallenge,
  ReauthenticationRequired,
} from '../domain/challenges/errors.ts';
import { PasskeyRefused } from '../domain/passkeys/errors.ts';
import { FLAG } from '../domain/passkeys/testing-authenticator.ts';
import {
  PasskeyAlreadyRegistered,
  PasskeysNotConfigured,
  TooManyPasskeys,
} from '../domain/second-factors/errors.ts';
import { finishPasskeyRegistration } from '../domain/second-factors/finish-passkey-registration.ts';
import { MAX_PASSKEYS } from '../domain/second-factors/passkey-limit.ts';
import type { Uuid } from '../domain/uuid.ts';
import { eventsIn } from './testing-credentials.ts';
import { DEVICE } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { type BegunRegistration, TestPasskeys } from './testing-passkeys.ts';
import type { TestSignIn } from './testing-second-factors.ts';

let db: TestOrm;
let passkeys: TestPasskeys;
/** Of a session whose user showed two factors, which will do also once there is one. */
let signedIn: TestSignIn;
beforeAll(async () => {
  db = await openTestOrm({ connectTimeoutMs: 30_000 });
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  passkeys = await TestPasskeys.open(db);
  signedIn = await passkeys.factors.signIn(['pwd', 'otp']);
});

const codesIn = () => db.rows('select * from user_service.recovery_codes');
const open = async () =>
  (await db.rows('select * from user_service.auth_challenges where used_at is null')).length;

async function anotherUser(): Promise<{ readonly signedIn: TestSignIn; readonly userId: Uuid }> {
  const { factors } = passkeys;
  const grace = await factors.identity.register('grace@example.com');
  return { signedIn: await factors.signIn(['pwd', 'otp'], grace), userId: grace.id };
}

describe('a registration that was begun', () => {
  test('tells the browser for whom, and what is there already', async () => {
    const { ada } = passkeys.factors;
    const { passkey } = await passkeys.register(signedIn, passkeys.authenticator());
    const { options, challenge } = await passkeys.begin(signedIn);
    expect(options).toMatchObject({
      rp: { id: 'example.com', name: 'Example' },
      user: {
        id: Buffer.from(ada.id.replaceAll('-', ''), 'hex').toString('base64url'),
        name: 'Ada@example.com',
        displayName: 'Ada Lovelace',
      },
      pubKeyCredParams: [-8, -7, -257].map((alg) => ({ type: 'public-key', alg })),
      authenticatorSelection: { residentKey: 'preferred', userVerification: 'preferred' },
      attestation: 'none',
      excludeCredentials: [{ id: passkey.credentialId.toString('base64url'), transports: ['internal'] }],
    });
    expect(challenge).toHaveLength(32);
  });

  test('is kept by the hash of its token, for its user, session and device', async () => {
    const { token, challenge, expiresAt } = await passkeys.begin(signedIn);
    expect(token).toMatch(/^[\w-]{43}$/);
    const [row] = await db.rows('select * from user_service.auth_challenges');
    expect(row).toMatchObject({
      purpose: 'passkey_registration',
      user_id: passkeys.factors.ada.id,
      session_id: signedIn.sessionId,
      device_id: 'device-1',
      device_fingerprint: 'fp-1',
      webauthn_challenge: challenge,
      expires_at: expiresAt,
    });
    expect(Number(row?.['expires_at']) - Number(row?.['created_at'])).toBe(300_000);
    expect(JSON.stringify(row)).not.toContain(token);
    expect(await eventsIn(db)).toMatchObject([
      { event_type: 'passkey_registration_begun', severity: 'info', session_id: signedIn.sessionId },
    ]);
  });
});

describe('a passkey', () => {
  test('that is the first second factor turns it on, brings recovery codes, and its user is told', async () => {
    const { ada, mailbox } = passkeys.factors;
    const authenticator = passkeys.authenticator();
    const { passkey, recoveryCodes } = await passkeys.register(signedIn, authenticator, { signCount: 4 });
    expect(new Set(recoveryCodes).size).toBe(10);
    expect(await codesIn()).toHaveLength(10);
    const [row] = await passkeys.stored();
    expect(row).toMatchObject({
      id: passkey.id,
      user_id: ada.id,
      credential_id: authenticator.credentialId,
      public_key: passkey.publicKey,
      sign_count: '4',
      aaguid: null,
      transports: ['internal'],
      name: null,
      device_type: 'single_device',
      backed_up: false,
      last_used_at: null,
    });
    expect(await passkeys.account()).toMatchObject({ mfa_enabled: true, mfa_type: 'webauthn' });
    expect((await eventsIn(db)).at(-1)).toMatchObject({
      event_type: 'second_factor_added',
      severity: 'low',
      user_id: ada.id,
      session_id: signedIn.sessionId,
      device_fingerprint: 'fp-1',
      metadata: {
        factor: 'passkey',
        passkey_id: passkey.id,
        device_type: 'single_device',
        backed_up: false,
        aaguid: null,
      },
    });
    const message = { template: 'second_factor_added', factor: 'passkey' };
    expect(await mailbox.receive()).toMatchObject([{ to: 'Ada@example.com', message }]);
  });

  test('may be one of several, of any kind; only the first brings codes', async () => {
    await passkeys.register(signedIn, passkeys.authenticator());
    const synced = FLAG.userPresent | FLAG.backupEligible | FLAG.backedUp;
    const second = await passkeys.register(signedIn, passkeys.authenticator(undefined, 'EdDSA'), {
      flags: synced,
    });
    expect(second).toMatchObject({
      passkey: { deviceType: 'multi_device', backedUp: true },
      recoveryCodes: [],
    });
    expect(await passkeys.stored()).toHaveLength(2);
    expect(await codesIn()).toHaveLength(10);
  });

  test('beside an authenticator app brings no codes, and leaves the app preferred', async () => {
    await passkeys.factors.enroll(signedIn);
    const { recoveryCodes } = await passkeys.register(signedIn, passkeys.authenticator());
    expect(recoveryCodes).toEqual([]);
    expect(await passkeys.account()).toMatchObject({ mfa_enabled: true, mfa_type: 'totp' });
  });

  test('is somebody’s once: its credential id is taken', async () => {
    const authenticator = passkeys.authenticator();
    const { passkey } = await passkeys.register(signedIn, authenticator);
    await expect(passkeys.register(signedIn, authenticator)).rejects.toThrow(PasskeyAlreadyRegistered);
    const grace = await anotherUser();
    await expect(passkeys.register(grace.signedIn, authenticator)).rejects.toThrow(PasskeyAlreadyRegistered);
    expect(await passkeys.stored()).toMatchObject([{ id: passkey.id }]);
    expect(await passkeys.account(grace.userId)).toMatchObject({ mfa_enabled: false });
  });

  test(`is one of ${MAX_PASSKEYS} at most, also of many that are registered at once`, async () => {
    for (let index = 1; index < MAX_PASSKEYS; index++) {
      await passkeys.register(signedIn, passkeys.authenticator());
    }
    const begun = await Promise.all(Array.from({ length: 10 }, () => passkeys.begin(signedIn)));
    const outcomes = await Promise.allSettled(
      begun.map((one) => passkeys.finish(signedIn, one, passkeys.authenticator().register(one.challenge))),
    );
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    expect(refused).toMatchObject(Array.from({ length: 9 }, () => ({ reason: expect.any(TooManyPasskeys) })));
    expect(await passkeys.stored()).toHaveLength(MAX_PASSKEYS);
    await expect(passkeys.begin(signedIn)).rejects.toThrow(TooManyPasskeys);
  });
});

describe('a registration is finished', () => {
  test('once', async () => {
    const begun = await passkeys.begin(signedIn);
    const response = passkeys.authenticator().register(begun.challenge);
    await passkeys.finish(signedIn, begun, response);
    const before = await eventsIn(db);
    await expect(passkeys.finish(signedIn, begun, response)).rejects.toThrow(InvalidChallenge);
    const another = passkeys.authenticator().register(begun.challenge);
    await expect(passkeys.finish(signedIn, begun, another)).rejects.toThrow(InvalidChallenge);
    expect(await passkeys.stored()).toHaveLength(1);
    expect(await eventsIn(db)).toEqual(before);
  });

  test('once of 100 times at once, be it with one passkey or with many', async () => {
    for (const makeAuthenticator of [() => passkeys.authenticator(), reuse(passkeys.authenticator())]) {
      const before = (await passkeys.stored()).length;
      const begun = await passkeys.begin(signedIn);
      const outcomes = await Promise.allSettled(
        Array.from({ length: 100 }, () =>
          passkeys.finish(signedIn, begun, makeAuthenticator().register(begun.challenge)),
        ),
      );
      const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
      expect(refused).toHaveLength(99);
      for (const { reason } of refused) expect(reason).toBeInstanceOf(InvalidChallenge);
      expect(await passkeys.stored()).toHaveLength(before + 1);
    }
    expect(await codesIn()).toHaveLength(10);
    const added = (await eventsIn(db)).filter((event) => event['event_type'] === 'second_factor_added');
    expect(added).toHaveLength(2);
  });

  test('after a response that was refused', async () => {
    const begun = await passkeys.begin(signedIn);
    const authenticator = passkeys.authenticator();
    for (const [saying, reason] of [
      [{ challenge: Buffer.alloc(32) }, 'wrong_challenge'],
      [{ origin: 'https://app.example.net' }, 'wrong_origin'],
      [{ rpId: 'example.net' }, 'wrong_relying_party'],
      [{ flags: FLAG.userVerified }, 'user_not_present'],
    ] as const) {
      const response = authenticator.register(begun.challenge, saying);
      const error = await passkeys.finish(signedIn, begun, response).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(PasskeyRefused);
      expect(error).toMatchObject({ reason });
    }
    await expect(passkeys.finish(signedIn, begun, [])).rejects.toThrow(PasskeyRefused);
    expect(await passkeys.stored()).toEqual([]);
    await passkeys.finish(signedIn, begun, authenticator.register(begun.challenge));
    expect(await passkeys.stored()).toHaveLength(1);
  });

  describe('by nobody else:', () => {
    async function isRefused(finisher: TestSignIn, begun: BegunRegistration): Promise<void> {
      const response = passkeys.authenticator().register(begun.challenge);
      await expect(passkeys.finish(finisher, begun, response)).rejects.toThrow(InvalidChallenge);
      expect(await passkeys.stored()).toEqual([]);
    }

    test('not another user', async () => {
      const { signedIn: grace } = await anotherUser();
      await isRefused(grace, await passkeys.begin(signedIn));
      expect(await open()).toBe(1);
    });

    test('not another session of the user', async () => {
      const other = await passkeys.factors.signIn(['pwd', 'otp']);
      await isRefused(other, await passkeys.begin(signedIn));
    });

    test.each([{ id: 'device-2' }, { fingerprint: 'fp-2' }, { id: null }, { fingerprint: null }])(
      'not another device: %j',
      async (parts) => {
        const begun = await passkeys.begin(signedIn);
        const response = JSON.stringify(passkeys.authenticator().register(begun.challenge));
        const { accessToken } = signedIn;
        const finished = { accessToken, token: begun.token, response, name: null };
        await expect(
          finishPasskeyRegistration(passkeys.deps, { ...finished, device: { ...DEVICE, ...parts } }),
        ).rejects.toThrow(InvalidChallenge);
        expect(await passkeys.stored()).toEqual([]);
      },
    );

    test('not who comes too late', async () => {
      const begun = await passkeys.begin(signedIn);
      passkeys.factors.identity.ahead += 300_001;
      await isRefused(signedIn, begun);
    });

    test('not with the token of a challenge for something else, nor with one that nobody gave out', async () => {
      const begun = await passkeys.begin(signedIn);
      await db.rows(`update user_service.auth_challenges set purpose = 'step_up'`);
      await isRefused(signedIn, begun);
      await isRefused(signedIn, { ...begun, token: createChallengeToken().token });
    });
  });
});

describe('registering takes', () => {
  test('a relying party', async () => {
    const deps = { ...passkeys.deps, relyingParty: null };
    const begun = await passkeys.begin(signedIn);
    const response = JSON.stringify(passkeys.authenticator().register(begun.challenge));
    const finished = { ...signedIn, token: begun.token, response, name: null };
    await expect(finishPasskeyRegistration(deps, finished)).rejects.toThrow(PasskeysNotConfigured);
    expect(await passkeys.stored()).toEqual([]);
  });

  test('a user who authenticated lately, and with two factors where the account has a second one', async () => {
    const { factors } = passkeys;
    const byPassword = await factors.signIn(['pwd']);
    await passkeys.register(byPassword, passkeys.authenticator());
    await expect(passkeys.begin(byPassword)).rejects.toThrow(ReauthenticationRequired);
    const begun = await passkeys.begin(signedIn);
    factors.identity.ahead += 600_001;
    const response = passkeys.authenticator().register(begun.challenge);
    await expect(passkeys.finish(signedIn, begun, response)).rejects.toThrow(ReauthenticationRequired);
    expect(await passkeys.stored()).toHaveLength(1);
  });

  test('a session that goes on: one that is ended while it waits adds nothing', async () => {
    const begun = await passkeys.begin(signedIn);
    const response = passkeys.authenticator().register(begun.challenge);
    const finished = await withTestClient(db.url, async (client) => {
      await client.query('begin');
      await client.query('select 1 from user_service.users for no key update');
      const finished = passkeys.finish(signedIn, begun, response).catch((error: unknown) => error);
      await expect.poll(waiting, { timeout: 10_000 }).toBe(1);
      await client.query('update user_service.sessions_history set terminated_at = now()');
      await client.query('commit');
      return await finished;
    });
    expect(finished).toBeInstanceOf(InvalidAccessToken);
    expect(await passkeys.stored()).toEqual([]);
    expect(await open()).toBe(1);
  });
});

/** Calls that wait for a row. */
async function waiting(): Promise<number> {
  const rows = await db.rows(
    `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return rows.length;
}

const reuse =
  <T>(value: T) =>
  () =>
    value;
