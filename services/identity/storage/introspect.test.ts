import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { MalformedToken } from '../domain/errors.ts';
import { introspect, introspectAll } from '../domain/introspect.ts';
import type { SignedIn } from '../domain/open-session.ts';
import { TestIdentity } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

let db: TestOrm;
let identity: TestIdentity;
let signedIn: SignedIn;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows('truncate user_service.users, user_service.signing_keys cascade');
  identity = new TestIdentity(db);
  await identity.register('Ada@example.com');
  signedIn = await identity.signIn('ada@example.com');
});

const look = () => introspect(identity, signedIn.accessToken.token);

test('a good token: its claims, and the user as of now', async () => {
  await db.rows(`update user_service.users set roles = '{admin,user}'`);
  expect(await look()).toMatchObject({
    active: true,
    claims: { sub: signedIn.user.id, sid: signedIn.session.id, aud: ['optix'], roles: ['user'] },
    clientId: 'optix',
    state: {
      session: { mfaVerified: false },
      user: { email: 'Ada@example.com', roles: ['admin', 'user'], tokenGeneration: 1 },
    },
  });
});

test.each([
  [
    'the session was terminated',
    `update user_service.sessions_history set terminated_at = now(), termination_reason = 'sign_out'`,
  ],
  ['the session has expired', `update user_service.sessions_history set expires_at = now() - interval '1 s'`],
  ['the session is gone', 'delete from user_service.sessions_history'],
  ['the user was suspended', `update user_service.users set status = 'suspended'`],
  ['the user is inactive', `update user_service.users set status = 'inactive'`],
  ['the user was deleted', `update user_service.users set status = 'deleted', deleted_at = now()`],
])('inactive at once where %s', async (_case, change) => {
  expect(await look()).toMatchObject({ active: true });
  await db.rows(change);
  expect(await look()).toEqual({ active: false });
});

test('inactive where the session is of somebody else', async () => {
  const eve = await identity.register('eve@example.com');
  const { token } = await identity.accessTokens.issue({
    userId: eve.id,
    sessionId: signedIn.session.id,
    roles: ['user'],
    generation: 1,
    authentication: signedIn.session.authentication,
  });
  expect(await introspect(identity, token)).toEqual({ active: false });
});

test('inactive after its time', async () => {
  identity.ahead = 906_000;
  expect(await look()).toEqual({ active: false });
});

test('a failed sign-in locks nobody out of the session there is', async () => {
  await db.rows(`update user_service.users set locked_until = now() + interval '1 h'`);
  expect(await look()).toMatchObject({ active: true });
});

test('what is no token is told apart from what is no good', async () => {
  await expect(introspect(identity, 'opaque')).rejects.toThrow(MalformedToken);
});

test('inactive where it is of an older generation than the user', async () => {
  await db.rows('update user_service.users set token_generation = 2');
  expect(await look()).toEqual({ active: false });
});

test('inactive where its key is not there any more, though the token was verified before', async () => {
  expect(await look()).toMatchObject({ active: true });
  await db.rows('delete from user_service.signing_keys');
  expect(await look()).toEqual({ active: false });
});

test('inactive where the session was left unused', async () => {
  await db.rows(`update user_service.sessions_history set last_activity_at = now() - interval '24 h 16 s'`);
  expect(await look()).toEqual({ active: false });
  expect(identity.used.size).toBe(0);
});

test('a good token was used, and that counts', async () => {
  await look();
  expect(identity.used.get(signedIn.session.id)).toBeGreaterThan(Date.now() - 5_000);
});

test('many at once, good and bad, in their order', async () => {
  const other = await identity.signIn('ada@example.com');
  await db.rows('update user_service.sessions_history set terminated_at = now() where id = $1', [
    other.session.id,
  ]);
  const tokens = [
    signedIn.accessToken.token,
    other.accessToken.token,
    'opaque',
    '',
    signedIn.accessToken.token,
  ];
  const found = await introspectAll(identity, Array.from({ length: 400 }, () => tokens).flat());
  expect(found.map(({ active }) => active)).toEqual(
    Array.from({ length: 400 }, () => [true, false, false, false, true]).flat(),
  );
});
