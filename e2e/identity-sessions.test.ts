import { randomUUID } from 'node:crypto';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { failure, fieldsOf, reasonOf } from '../testing/failure.ts';
import { testRedisUrl } from '../testing/redis.ts';
import { TRANSPORTS } from '../testing/services.ts';
import { IdentityReplicas, type OpenSession } from './identity-replicas.ts';
import { type IdentityRpcs, identityRpcs } from './identity-rpcs.ts';

const SESSIONS_PER_USER = 3;
/** The default of REFRESH_GRACE_SECONDS: 100 calls at once may take a busy machine some seconds. */
const GRACE_SECONDS = 10;
const IDLE_SECONDS = 60;
/** For how long the use of a session may not be written down yet (docs/authentication.md). */
const WRITE_BACK_SECONDS = 15;

let database: TestDatabase;
let identity: IdentityReplicas;
let rpcs: IdentityRpcs;
beforeAll(async () => {
  database = await createTestDatabase();
  identity = await IdentityReplicas.start({
    DATABASE_URL: database.url,
    REDIS_URL: testRedisUrl(),
    ACCESS_TOKEN_LIFETIME_SECONDS: '30',
    SESSION_IDLE_TIMEOUT_SECONDS: String(IDLE_SECONDS),
    SESSIONS_PER_USER: String(SESSIONS_PER_USER),
  });
  ({ rpcs } = identity);
});
afterAll(async () => {
  await identity[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const sql = (text: string, values: unknown[]) =>
  withTestClient(database.url, async (client) => (await client.query(text, values)).rows);

describe.each(TRANSPORTS)('over %s', (transport) => {
  const by = () => identityRpcs(identity.one.transport(transport));

  it('sessions are listed by device, newest first, page by page; one is revoked, or all but one', async () => {
    const { sessions } = by();
    const { email, id: userId } = await identity.newUser();
    const phone = await identity.signIn(email, 'phone');
    const laptop = await identity.signIn(email, 'laptop');
    const tablet = await identity.signIn(email, 'tablet');
    const first = await sessions.listSessions({ userId, pageSize: 2 });
    expect(first.sessions.map(({ device }) => device?.name)).toEqual(['tablet', 'laptop']);
    const next = await sessions.listSessions({ userId, pageToken: first.nextPageToken });
    expect(next.sessions).toMatchObject([{ id: phone.sessionId, active: true, userId }]);
    expect(next.nextPageToken).toBe('');

    const { session } = await sessions.revokeSession({ id: laptop.sessionId, reason: 'lost', actor: 'op-7' });
    expect(session).toMatchObject({ id: laptop.sessionId, active: false, endReason: 'revoked' });
    await identity.expectEnded(laptop, 'revoked');
    await identity.expectGoingOn(phone);
    const rest = { userId, exceptSessionId: tablet.sessionId, requestId: randomUUID() };
    for (let time = 0; time < 2; time += 1) {
      expect((await sessions.revokeUserSessions(rest)).revokedCount).toBe(1n);
    }
    await identity.expectEnded(phone, 'revoked');
    await identity.expectGoingOn(tablet);
    expect((await sessions.listSessions({ userId })).sessions).toHaveLength(1);
    expect((await sessions.listSessions({ userId, showEnded: true })).sessions).toHaveLength(3);
  });

  it('a session ends with the sign-out by either token; the same again is no error', async () => {
    const { auth } = by();
    const { email } = await identity.newUser();
    for (const kind of ['accessToken', 'refreshToken'] as const) {
      const session = await identity.signIn(email);
      for (let time = 0; time < 2; time += 1) await auth.signOut({ [kind]: session[kind] });
      await identity.expectEnded(session, 'signed_out');
    }
    const neither = await failure(auth.signOut({}));
    expect([neither.code, fieldsOf(neither)]).toEqual([Code.InvalidArgument, ['access_token']]);
    const both = await failure(auth.signOut({ accessToken: 'a.b.c', refreshToken: 'x' }));
    expect(fieldsOf(both)).toEqual(['refresh_token']);
  });

  it('RevokeToken takes back one access token alone, or by a refresh token the whole session', async () => {
    const { tokens } = by();
    const { email } = await identity.newUser();
    const session = await identity.signIn(email);
    await tokens.revokeToken({ token: session.accessToken });
    expect(await identity.isActive(session.accessToken)).toEqual([false, false]);
    const { accessToken, refreshToken } = await tokens.refreshToken(session);
    expect(await identity.isActive(accessToken)).toEqual([true, true]);
    await tokens.revokeToken({ token: refreshToken });
    await identity.expectEnded({ ...session, accessToken, refreshToken }, 'revoked');
  });

  it('what is not there, or no id, is refused under its name', async () => {
    const { sessions } = by();
    const nobody = randomUUID();
    const missing = await failure(sessions.getSession({ id: nobody }));
    expect([missing.code, reasonOf(missing)]).toEqual([Code.NotFound, 'SESSION_NOT_FOUND']);
    expect(reasonOf(await failure(sessions.revokeSession({ id: nobody })))).toBe('SESSION_NOT_FOUND');
    expect(reasonOf(await failure(sessions.revokeUserSessions({ userId: nobody })))).toBe('USER_NOT_FOUND');
    expect(fieldsOf(await failure(sessions.getSession({ id: '7' })))).toEqual(['id']);
    const list = { userId: nobody, pageSize: 1001, pageToken: 'x' };
    expect(fieldsOf(await failure(sessions.listSessions(list)))).toEqual(['page_size', 'page_token']);
  });
});

it('one session more than may be ends the oldest', async () => {
  const { email, id: userId } = await identity.newUser();
  const oldest = await identity.signIn(email, 'oldest');
  const rest: OpenSession[] = [];
  for (let time = 0; time < SESSIONS_PER_USER; time += 1) rest.push(await identity.signIn(email));
  await identity.expectEnded(oldest, 'session_limit');
  for (const each of rest) await identity.expectGoingOn(each);
  const { sessions } = await rpcs.sessions.listSessions({ userId });
  expect(sessions.map(({ id }) => id)).toEqual(rest.map(({ sessionId }) => sessionId).reverse());
});

it('a session ends that is left unused for the idle time-out, and no other', async () => {
  const { email, id: userId } = await identity.newUser();
  const [used, unused] = [await identity.signIn(email), await identity.signIn(email)];
  // The shortest idle time-out that may be set is longer than a test should wait.
  const leave = async ({ sessionId }: OpenSession, seconds: number) =>
    await sql(
      `update user_service.sessions_history set last_activity_at = now() - make_interval(secs => $2),
         created_at = now() - interval '1h' where id = $1`,
      [sessionId, seconds],
    );
  await leave(used, IDLE_SECONDS - 5);
  await leave(unused, IDLE_SECONDS + WRITE_BACK_SECONDS + 1);
  const { sessions } = await rpcs.sessions.listSessions({ userId });
  expect(sessions.map(({ id }) => id)).toEqual([used.sessionId]);
  await identity.expectGoingOn(used);
  await identity.expectEnded(unused, '');
});

describe('a refresh token', () => {
  it('that 100 use at once at two replicas gets one answer, whose token is the next one', async () => {
    const { email } = await identity.newUser();
    const { refreshToken } = await identity.signIn(email);
    const calls = Array.from({ length: 100 }, (_, index) =>
      (index % 2 === 0 ? rpcs : identity.others).tokens.refreshToken({ refreshToken }),
    );
    const [answer, ...same] = await Promise.all(calls);
    for (const each of same) expect(each).toEqual(answer);
    const next = await rpcs.tokens.refreshToken({ refreshToken: answer?.refreshToken ?? '' });
    expect(next.refreshToken).not.toBe(answer?.refreshToken);
    expect(await identity.isActive(next.accessToken)).toEqual([true, true]);
  });

  it('used again after the grace ends its own session, and no other of the user', async () => {
    const { email, id: userId } = await identity.newUser();
    const [stolen, safe] = [await identity.signIn(email), await identity.signIn(email)];
    const next = await rpcs.tokens.refreshToken({ refreshToken: stolen.refreshToken });
    const retry = { refreshToken: stolen.refreshToken };
    expect(await identity.others.tokens.refreshToken(retry)).toEqual(next);
    await sql(
      'update user_service.refresh_token_families set rotated_at = rotated_at - make_interval(secs => $2) where session_id = $1',
      [stolen.sessionId, GRACE_SECONDS],
    );
    const refused = await failure(identity.others.tokens.refreshToken(retry));
    expect([refused.code, reasonOf(refused)]).toEqual([Code.Unauthenticated, 'INVALID_REFRESH_TOKEN']);
    await identity.expectEnded({ ...stolen, refreshToken: next.refreshToken }, 'refresh_token_reused');
    expect(await identity.isActive(next.accessToken)).toEqual([false, false]);
    await identity.expectGoingOn(safe);
    await rpcs.tokens.refreshToken({ refreshToken: safe.refreshToken });
    const events = await sql(
      "select session_id, severity from user_service.security_events where user_id = $1 and event_type = 'refresh_token_reused'",
      [userId],
    );
    expect(events).toEqual([{ session_id: stolen.sessionId, severity: 'high' }]);
  });
});
