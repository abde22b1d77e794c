import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { InvalidAccessToken, InvalidChallenge } from '../domain/challenges/errors.ts';
import { requireFreshSession } from '../domain/challenges/session-proof.ts';
import { introspect } from '../domain/introspect.ts';
import type { SignedIn } from '../domain/open-session.ts';
import { refresh } from '../domain/refresh.ts';
import { revokeSession } from '../domain/revoke-session.ts';
import { SecondFactorRefused } from '../domain/second-factors/errors.ts';
import { RefreshTokenFamilyRepository } from './refresh-token-family-repository.ts';
import { TestChallenges, totp } from './testing-challenges.ts';
import { DEVICE, PASSWORD } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

const password = { method: 'password', password: PASSWORD } as const;
const ORIGIN = { caller: 'gateway', actor: null, reason: null };
const HOUR_MS = 3_600_000;

let db: TestOrm;
let tests: TestChallenges;
let signedIn: SignedIn;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  tests = await TestChallenges.open(db);
  signedIn = await tests.identity.signIn('ada@example.com');
  await db.rows('truncate user_service.security_events');
  tests.identity.limiter.asked.length = 0;
});

const begin = (token = signedIn.accessToken.token) => tests.stepUp(token);
const seconds = (date: Date | undefined) => Math.floor(Number(date) / 1000);

/** The session an hour later, with an access token that is good then. */
async function later(): Promise<string> {
  tests.identity.ahead += HOUR_MS;
  const { accessToken } = await refreshed(signedIn.refreshToken.token);
  return accessToken.token;
}

const refreshed = (token: string) => {
  const { limiter, sessionPolicy, sessionActivity, unitOfWork, accessTokens, detectionPolicy, now } =
    tests.identity;
  const deps = {
    ...{
      limiter,
      sessionPolicy,
      sessionActivity,
      unitOfWork,
      accessTokens,
      detectionPolicy,
      now,
      graceMs: 0,
    },
    families: new RefreshTokenFamilyRepository(db.orm.em),
  };
  return refresh(deps, { token, device: DEVICE });
};

describe('of an account without a second factor', () => {
  test('asks for the password, and makes the session fresh', async () => {
    const token = await later();
    await expect(requireFreshSession(tests.deps, token)).rejects.toThrow('authenticate again');
    const challenge = await begin(token);
    expect([challenge.methods, challenge.passkeyOptions]).toEqual([['password'], null]);
    const { session, accessToken, refreshToken, trust } = await tests.complete(challenge, password, {
      wantsTrust: true,
    });
    expect([refreshToken, trust]).toEqual([null, null]);
    expect(session).toMatchObject({
      ...{ id: signedIn.session.id, mfaVerified: false, createdAt: signedIn.session.createdAt },
      authentication: { amr: ['pwd'], acr: 'aal1' },
    });
    const authenticated = session.authentication.authenticatedAt;
    expect(seconds(authenticated)).toBeGreaterThanOrEqual(seconds(signedIn.session.createdAt) + 3600);
    expect(decodeJwt(accessToken.token)).toMatchObject({
      sid: session.id,
      auth_time: seconds(authenticated),
    });
    // Every token of the session is fresh by it: the row is asked, not the token.
    for (const good of [token, accessToken.token]) await requireFreshSession(tests.deps, good);
    expect(await tests.eventTypes()).toEqual(['step_up_requested', 'step_up_completed']);
    expect((await tests.events()).at(-1)).toMatchObject({
      ...{ severity: 'info', session_id: session.id, metadata: { method: 'password' } },
    });
    expect(await tests.account()).toMatchObject({ last_login_at: signedIn.session.createdAt });
  });

  test('leaves the refresh token as it is, whose next tokens are fresh too', async () => {
    const { session } = await tests.complete(await begin(), password);
    const { accessToken } = await refreshed(signedIn.refreshToken.token);
    expect(decodeJwt(accessToken.token)['auth_time']).toBe(seconds(session.authentication.authenticatedAt));
  });

  test('counts a wrong password as a sign-in does, and five lock', async () => {
    const challenge = await begin();
    for (const attemptsLeft of [4, 3, 2, 1, 0]) {
      await expect(tests.complete(challenge, { method: 'password', password: 'wrong' })).rejects.toEqual(
        new SecondFactorRefused(attemptsLeft),
      );
    }
    expect(await tests.account()).toMatchObject({ failed_login_attempts: 5, locked_until: expect.any(Date) });
    expect((await tests.events()).filter((event) => event['event_type'] === 'login_failed')).toEqual(
      Array.from({ length: 5 }, () =>
        expect.objectContaining({ metadata: { method: 'password', reason: 'wrong_password' } }),
      ),
    );
    await expect(tests.complete(challenge, password)).rejects.toEqual(new InvalidChallenge());
  });

  test('takes the password no more where a factor was added meanwhile', async () => {
    const challenge = await begin();
    const { app } = await tests.factors.enroll(await tests.factors.signIn());
    await expect(tests.complete(challenge, password)).rejects.toEqual(new SecondFactorRefused(4));
    tests.factors.passSteps();
    const { session } = await tests.complete(challenge, totp(app.code()));
    expect(session.authentication.acr).toBe('aal2');
  });
});

describe('of an account with a second factor', () => {
  test('asks for the factor, and makes the session one of two factors', async () => {
    const { app } = await tests.factors.enroll(await tests.factors.signIn());
    tests.factors.passSteps();
    const challenge = await begin();
    expect(challenge.methods).toEqual(['totp']);
    const { session, accessToken, user } = await tests.complete(challenge, totp(app.code()));
    expect(user.mfaEnabled).toBe(true);
    expect(session).toMatchObject({ mfaVerified: true, authentication: { amr: ['pwd', 'otp', 'mfa'] } });
    expect(decodeJwt(accessToken.token)).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], acr: 'aal2' });
    for (const token of [accessToken.token, signedIn.accessToken.token]) {
      expect(await introspect(tests.identity, token)).toMatchObject({
        state: { session: { mfaVerified: true } },
      });
    }
  });

  test('may be by passkey, and never by password or recovery code', async () => {
    const authenticator = tests.passkeys.authenticator();
    const { recoveryCodes } = await tests.passkeys.register(await tests.factors.signIn(), authenticator);
    const challenge = await begin();
    expect(challenge.methods).toEqual(['passkey']);
    const [code = ''] = recoveryCodes;
    await expect(tests.complete(challenge, password)).rejects.toEqual(new SecondFactorRefused(4));
    await expect(tests.complete(challenge, { method: 'recovery_code', code })).rejects.toEqual(
      new SecondFactorRefused(3),
    );
    const { session } = await tests.complete(challenge, tests.assertion(challenge, authenticator));
    expect(session.authentication.amr).toEqual(['pwd', 'hwk', 'user', 'mfa']);
  });
});

describe('is refused', () => {
  test.each(['no token', 'a.b.c'])('for %j', async (token) => {
    await expect(begin(token)).rejects.toEqual(new InvalidAccessToken());
    expect(await tests.challenges()).toEqual([]);
  });

  test('where the session has ended, before it begins or before it is completed', async () => {
    const challenge = await begin();
    await revokeSession(tests.identity, signedIn.session.id, ORIGIN);
    await expect(begin()).rejects.toEqual(new InvalidAccessToken());
    await expect(tests.complete(challenge, password)).rejects.toEqual(new InvalidChallenge());
    expect(await tests.challenges()).toMatchObject([{ attempts: 0, used_at: null }]);
  });

  test('where the session has been idle for too long', async () => {
    Object.assign(tests.deps, { challengeLifetimeMs: 72 * HOUR_MS });
    const challenge = await begin();
    tests.identity.ahead += 48 * HOUR_MS;
    await expect(tests.complete(challenge, password)).rejects.toEqual(new InvalidChallenge());
  });
});

test('of two at once both count, the later one last', async () => {
  const [one, other] = await Promise.all([begin(), begin()]);
  await Promise.all([one, other].map((challenge) => tests.complete(challenge, password)));
  expect(await tests.sessions()).toHaveLength(1);
  expect(await tests.eventTypes()).toHaveLength(4);
});

test('a session that ends while it is made fresh stays ended', async () => {
  for (let round = 0; round < 10; round += 1) {
    const { session, accessToken } = await tests.identity.signIn('ada@example.com');
    const challenge = await begin(accessToken.token);
    const [completed] = await Promise.allSettled([
      tests.complete(challenge, password),
      revokeSession(tests.identity, session.id, ORIGIN),
    ]);
    if (completed.status === 'rejected') expect(completed.reason).toEqual(new InvalidChallenge());
    else
      expect(await introspect(tests.identity, completed.value.accessToken.token)).toEqual({ active: false });
    expect(await tests.identity.sessions.find(session.id)).toMatchObject({ endReason: 'revoked' });
  }
});
