import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AccessTokens } from '../domain/access-token.ts';
import { introspect } from '../domain/introspect.ts';
import type { SignedIn } from '../domain/open-session.ts';
import { createRefreshToken } from '../domain/refresh-token.ts';
import { revokeToken, signOut } from '../domain/revoke-token.ts';
import type { Uuid } from '../domain/uuid.ts';
import { DEVICE, TestIdentity } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

const ORIGIN = { caller: 'gateway', actor: null, reason: null };
const NOBODY = '019b0000-0000-7000-8000-000000000000' as Uuid;

let db: TestOrm;
let identity: TestIdentity;
let signedIn: SignedIn;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows('truncate user_service.users, user_service.signing_keys, user_service.revocations cascade');
  await db.rows('truncate user_service.security_events');
  identity = new TestIdentity(db);
  await identity.register('ada@example.com');
  signedIn = await identity.signIn('ada@example.com');
});

const isActive = async (token: string) => (await introspect(identity, token)).active;
const eventTypes = async () =>
  (await db.rows('select event_type from user_service.security_events order by id')).map(
    ({ event_type }) => event_type,
  );
const anotherToken = () =>
  identity.accessTokens.issue({
    userId: signedIn.user.id,
    sessionId: signedIn.session.id,
    roles: ['user'],
    generation: 1,
    authentication: signedIn.session.authentication,
  });

describe('taking back', () => {
  test('an access token ends just this one', async () => {
    const other = await anotherToken();
    await revokeToken(identity, signedIn.accessToken.token, ORIGIN);
    expect(await isActive(signedIn.accessToken.token)).toBe(false);
    expect(await isActive(other.token)).toBe(true);
    expect(identity.revoked).toMatchObject([{ kind: 'token', sessionId: signedIn.session.id }]);
    expect(await eventTypes()).toContain('token_revoked');
  });

  test('an access token that lasts longer than tokens do now is not forgotten before its end', async () => {
    const then = new AccessTokens({
      keys: identity.signingKeys,
      ...{ issuer: 'https://identity.example', audience: 'optix', lifetimeSeconds: 86_400 },
    });
    const { session, user } = signedIn;
    const { token, expiresAt } = await then.issue({
      ...{ userId: user.id, sessionId: session.id, roles: ['user'], generation: 1 },
      authentication: session.authentication,
    });
    expect(await isActive(token)).toBe(true);
    await revokeToken(identity, token, ORIGIN);
    const [row] = await db.rows('select expires_at > $1 as lasts from user_service.revocations', [expiresAt]);
    expect(row).toEqual({ lasts: true });
  });

  test('an access token again changes nothing', async () => {
    await revokeToken(identity, signedIn.accessToken.token, ORIGIN);
    await revokeToken(identity, signedIn.accessToken.token, ORIGIN);
    expect(await db.rows('select from user_service.revocations')).toHaveLength(1);
  });

  test('a refresh token ends its session', async () => {
    const other = await anotherToken();
    await revokeToken(identity, signedIn.refreshToken.token, ORIGIN);
    expect(await isActive(signedIn.accessToken.token)).toBe(false);
    expect(await isActive(other.token)).toBe(false);
    expect(await eventTypes()).toContain('session_revoked');
  });

  test.each([
    ['what is no token', 'opaque'],
    ['a refresh token of nobody', createRefreshToken(NOBODY).token],
  ])('%s is answered the same and changes nothing', async (_case, token) => {
    await revokeToken(identity, token, ORIGIN);
    expect(await isActive(signedIn.accessToken.token)).toBe(true);
    expect(await db.rows('select from user_service.revocations')).toEqual([]);
  });

  test('a refresh token with a good family and a wrong secret changes nothing', async () => {
    const { token } = signedIn.refreshToken;
    const guessed = `${token.slice(0, -43)}${'A'.repeat(43)}`;
    await revokeToken(identity, guessed, ORIGIN);
    await signOut(identity, { kind: 'refresh', token: guessed }, DEVICE);
    expect(await isActive(signedIn.accessToken.token)).toBe(true);
  });
});

describe('signing out', () => {
  test.each(['access', 'refresh'] as const)('with the %s token ends the session', async (kind) => {
    const token = kind === 'access' ? signedIn.accessToken.token : signedIn.refreshToken.token;
    await signOut(identity, { kind, token }, DEVICE);
    expect(await isActive(signedIn.accessToken.token)).toBe(false);
    expect(await identity.sessions.find(signedIn.session.id)).toMatchObject({ endReason: 'signed_out' });
    await signOut(identity, { kind, token }, DEVICE);
    expect((await eventTypes()).filter((type) => type === 'signed_out')).toHaveLength(1);
  });

  test.each([
    ['was taken back', () => revokeToken(identity, signedIn.accessToken.token, ORIGIN)],
    ['is of an older generation', () => db.rows('update user_service.users set token_generation = 2')],
    ['is of a key that was given up', () => db.rows('delete from user_service.signing_keys')],
    [
      'has run out',
      async () => {
        identity.ahead = 906_000;
      },
    ],
  ])('with an access token that %s leaves the session', async (_case, change) => {
    await change();
    await signOut(identity, { kind: 'access', token: signedIn.accessToken.token }, DEVICE);
    expect(await identity.sessions.find(signedIn.session.id)).toMatchObject({ endedAt: null });
  });
});
