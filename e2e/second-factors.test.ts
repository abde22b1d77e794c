import { Code } from '@connectrpc/connect';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTokenVerifier, type TokenVerifier } from '../clients/identity/token-verifier.ts';
import { ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts';
import { ChallengeMethod } from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { failure, fieldsOf, reasonOf } from '../testing/failure.ts';
import { testRedisUrl } from '../testing/redis.ts';
import { startTestIdentity, type TestService, TRANSPORTS } from '../testing/services.ts';
import { FactorUser, recovery, totp } from './factor-user.ts';
import { type IdentityRpcs, identityRpcs } from './identity-rpcs.ts';

const ISSUER = 'https://identity.example';
const { TOTP, RECOVERY_CODE, PASSWORD } = ChallengeMethod;
/** What a session by password and authenticator app is. */
const BOTH = { amr: ['pwd', 'otp', 'mfa'], acr: 'aal2' };
const PASSWORD_ONLY = { amr: ['pwd'], acr: 'aal1' };

let database: TestDatabase;
let service: TestService;
let verifier: TokenVerifier;
let rpcs: IdentityRpcs;
beforeAll(async () => {
  database = await createTestDatabase();
  service = await startTestIdentity({
    DATABASE_URL: database.url,
    REDIS_URL: testRedisUrl(),
    RATE_LIMIT_ENABLED: 'false',
    TOKEN_ISSUER: ISSUER,
  });
  verifier = createTokenVerifier({
    ...{ address: service.grpcAddress, issuer: ISSUER, audience: 'optix', whenStale: 'reject' },
  });
  await vi.waitFor(() => expect(verifier.state.fresh).toBe(true), 10_000);
  rpcs = identityRpcs(service.transport('gRPC'));
});
afterAll(async () => {
  verifier[Symbol.dispose]();
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

let user: FactorUser;
/** Of a session in which the authenticator app was enrolled, with the password alone. */
let firstToken: string;
let codes: string[];
beforeEach(async () => {
  user = await FactorUser.register(rpcs, database.url);
  firstToken = (await user.authenticate()).accessToken;
  codes = await user.enrol(firstToken);
});

/** What the user's events of a type are about, oldest first. */
async function events(type: string): Promise<unknown[]> {
  const answer = await rpcs.events.listSecurityEvents({ filter: { userId: user.id, types: [type] } });
  return answer.events.map(({ metadata }) => metadata).reverse();
}

async function told(call: Promise<unknown>): Promise<string> {
  const error = await failure(call);
  return `${Code[error.code]} ${reasonOf(error)}`;
}

/** Says that the user authenticated in a session so long ago. */
async function age(sessionId: string, minutes: number): Promise<void> {
  const text = `update user_service.sessions_history set authenticated_at = now() - make_interval(mins => $2) where id = $1`;
  await withTestClient(database.url, (client) => client.query(text, [sessionId, minutes]));
}

describe.each(TRANSPORTS)('an authenticator app, over %s', (transport) => {
  it('is asked for after the password; token, introspection, refresh and verifier say that it was shown', async () => {
    const { auth, tokens, sessions } = identityRpcs(service.transport(transport));
    const { email, password, device } = user;
    const { challenge, ...rest } = await auth.authenticate({ email, password, device });
    expect(rest).toMatchObject({ accessToken: '', refreshToken: '', tokenType: '' });
    expect([rest.session, rest.user]).toEqual([undefined, undefined]);
    expect(challenge).toMatchObject({ methods: [TOTP, RECOVERY_CODE], passkeyOptions: '' });
    const proof = totp(user.code(1));
    const completion = { challengeToken: challenge?.token ?? '', proof, device };
    const answer = await auth.completeChallenge(completion);
    expect(answer).toMatchObject({
      ...{ tokenType: 'Bearer', trustToken: '', user: { id: user.id, mfaEnabled: true } },
      session: { ...BOTH, mfaVerified: true, trustedDevice: false, userId: user.id },
    });
    const claims = decodeJwt(answer.accessToken);
    expect(claims).toMatchObject({ ...BOTH, sub: user.id, sid: answer.session?.id });
    expect(claims['auth_time']).toBe(Number(answer.session?.authenticateTime?.seconds));

    const introspected = await tokens.introspectToken({ token: answer.accessToken });
    const refreshed = await tokens.refreshToken({ refreshToken: answer.refreshToken, device });
    expect(introspected).toMatchObject({ ...BOTH, active: true, mfaVerified: true });
    expect(introspected.authTime).toBe(BigInt(claims['auth_time'] as number));
    expect(decodeJwt(refreshed.accessToken)).toMatchObject({ ...BOTH, auth_time: claims['auth_time'] });
    const { authenticatedAt, ...verified } = await verifier.verify(refreshed.accessToken);
    expect(verified).toMatchObject({ ...BOTH, sessionId: answer.session?.id });
    expect(authenticatedAt?.getTime()).toBe(Number(claims['auth_time']) * 1000);
    const { session } = await sessions.getSession({ id: answer.session?.id ?? '' });
    expect(session).toMatchObject({ ...BOTH, mfaVerified: true });
    expect(await told(auth.completeChallenge(completion))).toBe('Unauthenticated INVALID_CHALLENGE');
  });
});

describe('a code of an authenticator app', () => {
  it('is good once: not the one that confirmed the app, and not in another challenge', async () => {
    const challenge = await user.challenged();
    const refused = await failure(user.complete(challenge, totp(user.confirmedWith)));
    expect([refused.code, reasonOf(refused)]).toEqual([Code.Unauthenticated, 'SECOND_FACTOR_REFUSED']);
    expect(refused.findDetails(ErrorInfoSchema)[0]?.metadata).toEqual({ attempts_left: '4' });
    const next = user.code(1);
    await user.complete(challenge, totp(next));
    const again = user.complete(await user.challenged(), totp(next));
    expect(await told(again)).toBe('Unauthenticated SECOND_FACTOR_REFUSED');
  });

  it('counts for the device alone that showed the password', async () => {
    const challenge = await user.challenged();
    for (const other of [{ id: 'another' }, { fingerprint: 'another' }]) {
      const device = { ...user.device, ...other };
      const call = user.complete(challenge, totp(user.code(1)), { device });
      expect(await told(call)).toBe('Unauthenticated INVALID_CHALLENGE');
    }
    await user.complete(challenge, totp(user.code(1)));
  });

  it('is not looked at in another form, or where there is none, and uses no attempt up', async () => {
    const challenge = await user.challenged();
    for (const value of ['', '12345', '1234567', 'abcdef']) {
      expect(fieldsOf(await failure(user.complete(challenge, totp(value))))).toEqual(['totp_code']);
    }
    const none = user.complete(challenge, { case: undefined });
    expect(fieldsOf(await failure(none))).toEqual(['proof']);
    const refused = await failure(user.complete(challenge, totp(user.wrongCode())));
    expect(refused.findDetails(ErrorInfoSchema)[0]?.metadata).toEqual({ attempts_left: '4' });
  });

  it('is of no use once the password was changed in between', async () => {
    const challenge = await user.challenged();
    const { id: userId, password: currentPassword, device } = user;
    const newPassword = 'another fine long phrase';
    await rpcs.credentials.changePassword({ userId, currentPassword, newPassword, device });
    expect(await told(user.complete(challenge, totp(user.code(1))))).toBe(
      'Unauthenticated INVALID_CHALLENGE',
    );
  });
});

describe('recovery codes', () => {
  it('are ten, and each opens one session, in any spelling; the log says so', async () => {
    expect(new Set(codes).size).toBe(10);
    for (const [index, code] of codes.entries()) {
      const spelling = index % 2 === 0 ? code : code.toLowerCase().replaceAll('-', ' ');
      const { session } = await user.complete(await user.challenged(), recovery(spelling));
      expect(session).toMatchObject(BOTH);
      const { recoveryCodesLeft } = await rpcs.credentials.listSecondFactors({ userId: user.id });
      expect(recoveryCodesLeft).toBe(9 - index);
    }
    expect(await events('recovery_code_used')).toEqual(codes.map((_, index) => ({ left: 9 - index })));
    const challenge = await user.challenged();
    expect(challenge.methods).toEqual([TOTP]);
    const used = user.complete(challenge, recovery(codes[0] ?? ''));
    expect(await told(used)).toBe('Unauthenticated SECOND_FACTOR_REFUSED');
  });

  it("of a set that was replaced, or of another user, don't work", async () => {
    const other = await FactorUser.register(rpcs, database.url);
    const [foreign = ''] = await other.enrol((await other.authenticate()).accessToken);
    const { accessToken } = await user.signIn();
    const { recoveryCodes } = await rpcs.credentials.regenerateRecoveryCodes({ accessToken });
    expect(recoveryCodes).toHaveLength(10);
    const challenge = await user.challenged();
    for (const code of [codes[0] ?? '', foreign]) {
      expect(await told(user.complete(challenge, recovery(code)))).toContain('SECOND_FACTOR_REFUSED');
    }
    await user.complete(challenge, recovery(recoveryCodes[0] ?? ''));
  });
});

describe('a step-up', () => {
  it('is asked for by what is sensitive, and makes the same session fresh', async () => {
    const { accessToken, refreshToken, session } = await user.signIn();
    const { device } = user;
    const regenerate = (token: string) => rpcs.credentials.regenerateRecoveryCodes({ accessToken: token });
    await age(session?.id ?? '', 11);
    const asked = await failure(regenerate(accessToken));
    expect([asked.code, reasonOf(asked)]).toEqual([Code.FailedPrecondition, 'REAUTHENTICATION_REQUIRED']);
    const metadata = asked.findDetails(ErrorInfoSchema)[0]?.metadata;
    expect(metadata).toEqual({ max_age_seconds: '600', acr: 'aal2' });

    const { challenge } = await rpcs.auth.beginStepUp({ accessToken, device });
    expect(challenge?.methods).toEqual([TOTP]);
    const challengeToken = challenge?.token ?? '';
    for (const proof of [{ case: 'password', value: user.password }, recovery(codes[0] ?? '')] as const) {
      const refused = rpcs.auth.completeChallenge({ challengeToken, proof, device });
      expect(await told(refused)).toBe('Unauthenticated SECOND_FACTOR_REFUSED');
    }
    const stepped = await user.complete({ token: challengeToken }, totp(await user.freshCode()));
    expect(stepped).toMatchObject({ refreshToken: '', session: { ...BOTH, id: session?.id, active: true } });
    const claims = decodeJwt(stepped.accessToken);
    expect(claims).toMatchObject({ ...BOTH, sid: session?.id });
    expect(Date.now() / 1000 - Number(claims['auth_time'])).toBeLessThan(60);
    expect((await regenerate(stepped.accessToken)).recoveryCodes).toHaveLength(10);
    const next = await rpcs.tokens.refreshToken({ refreshToken, device });
    expect(decodeJwt(next.accessToken)['auth_time']).toBe(claims['auth_time']);
  });

  it('takes the second factor where the session has shown the password only', async () => {
    const { device } = user;
    expect(decodeJwt(firstToken)).toMatchObject(PASSWORD_ONLY);
    const remove = (accessToken: string) => rpcs.credentials.removeTotp({ accessToken, device });
    expect(await told(remove(firstToken))).toBe('FailedPrecondition REAUTHENTICATION_REQUIRED');
    const { challenge } = await rpcs.auth.beginStepUp({ accessToken: firstToken, device });
    const token = challenge?.token ?? '';
    const { session, accessToken } = await user.complete({ token }, totp(await user.freshCode()));
    expect(session).toMatchObject(BOTH);
    await remove(accessToken);
    expect(await rpcs.credentials.listSecondFactors({ userId: user.id })).toMatchObject({
      ...{ enabled: false, recoveryCodesLeft: 0, passkeys: [] },
    });
    expect((await user.authenticate()).session).toMatchObject(PASSWORD_ONLY);
  });

  it('is the password where the account has no second factor', async () => {
    const plain = await FactorUser.register(rpcs, database.url);
    const { accessToken, session } = await plain.authenticate();
    await age(session?.id ?? '', 11);
    const enrol = await failure(plain.enrol(accessToken));
    expect(enrol.findDetails(ErrorInfoSchema)[0]?.metadata).toEqual({ max_age_seconds: '600', acr: 'aal1' });
    const { challenge } = await rpcs.auth.beginStepUp({ accessToken, device: plain.device });
    expect(challenge?.methods).toEqual([PASSWORD]);
    const token = challenge?.token ?? '';
    const wrong = plain.complete({ token }, { case: 'password', value: 'not the password' });
    expect(await told(wrong)).toBe('Unauthenticated SECOND_FACTOR_REFUSED');
    const stepped = await plain.complete({ token }, { case: 'password', value: plain.password });
    expect(stepped.session).toMatchObject({ ...PASSWORD_ONLY, id: session?.id });
    expect(await plain.enrol(stepped.accessToken)).toHaveLength(10);
  });
});

it('ResetSecondFactors leaves the password alone to sign in with, and ends what was open', async () => {
  const { trustToken, accessToken } = await user.signIn({ trustDevice: true });
  const challenge = await user.challenged();
  const reset = { userId: user.id, actor: 'op-7', reason: 'lost the phone', requestId: user.id };
  for (let time = 0; time < 2; time += 1) {
    // The session in which the app was enrolled, and the one with it.
    expect((await rpcs.credentials.resetSecondFactors(reset)).revokedSessions).toBe(2n);
  }
  for (const token of [accessToken, firstToken]) {
    expect((await rpcs.tokens.introspectToken({ token })).active).toBe(false);
    await vi.waitFor(async () => await expect(verifier.verify(token)).rejects.toThrow());
  }
  for (const proof of [totp(user.code(1)), recovery(codes[0] ?? '')]) {
    expect(await told(user.complete(challenge, proof))).toBe('Unauthenticated INVALID_CHALLENGE');
  }
  expect((await user.authenticate({ trustToken })).session).toMatchObject({
    ...PASSWORD_ONLY,
    trustedDevice: false,
  });
  expect(await rpcs.credentials.listSecondFactors({ userId: user.id })).toMatchObject({ enabled: false });
  expect(await events('second_factors_reset')).toMatchObject([
    { totp: true, trusted_devices: 1, actor: 'op-7' },
  ]);
});
