import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { authenticationContext } from '../domain/authentication-context.ts';
import { endUserSessions } from '../domain/end-sessions.ts';
import { introspect } from '../domain/introspect.ts';
import { revokeSession } from '../domain/revoke-session.ts';
import { revokeUserSessions } from '../domain/revoke-user-sessions.ts';
import { SessionPolicy } from '../domain/session-policy.ts';
import type { User } from '../domain/user.ts';
import type { Uuid } from '../domain/uuid.ts';
import { DEVICE, TestIdentity } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

const ORIGIN = { caller: 'gateway', actor: 'ada', reason: 'lost' };
const DAY_MS = 86_400_000;

let db: TestOrm;
let identity: TestIdentity;
let user: User;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows('truncate user_service.users, user_service.signing_keys, user_service.revocations cascade');
  await db.rows('truncate user_service.security_events');
  identity = new TestIdentity(db);
  user = await identity.register('ada@example.com');
});

async function signInTimes(count: number): Promise<{ readonly id: Uuid; readonly token: string }[]> {
  const opened: { readonly id: Uuid; readonly token: string }[] = [];
  for (let index = 0; index < count; index += 1) {
    const { session, accessToken } = await identity.signIn('ada@example.com');
    opened.push({ id: session.id, token: accessToken.token });
    // Ids of one millisecond are in no order.
    await sleep(2);
  }
  return opened;
}

const isActive = async (token: string) => (await introspect(identity, token)).active;

const list = (overrides: { showEnded?: boolean; after?: Uuid | null; limit?: number } = {}) => {
  const at = identity.now();
  const live = overrides.showEnded ? null : { at, idleSince: identity.sessionPolicy.idleSince(at) };
  const { after = null, limit = 100 } = overrides;
  return identity.sessions.list({ userId: user.id, live, after, limit });
};

const events = (type: string) =>
  db.rows('select * from user_service.security_events where event_type = $1 order by id', [type]);

test('is found as it was opened', async () => {
  const { session } = await identity.signIn('ada@example.com');
  expect(await identity.sessions.find(session.id)).toEqual({ ...session, endedAt: null, endReason: null });
  expect((await identity.sessions.find(session.id))?.device).toEqual(DEVICE);
});

describe('a list', () => {
  test('has the newest first, page by page, whatever is opened meanwhile', async () => {
    const opened = await signInTimes(5);
    const first = await list({ limit: 2 });
    await signInTimes(1);
    const second = await list({ limit: 10, after: first.at(-1)?.id ?? null });
    const newestFirst = opened.map(({ id }) => id).reverse();
    expect([...first, ...second].map(({ id }) => id)).toEqual(newestFirst);
  });

  test('has those that go on, or all', async () => {
    const [ended, ranOut, idle, live] = (await signInTimes(4)).map(({ id }) => id) as [
      Uuid,
      Uuid,
      Uuid,
      Uuid,
    ];
    await revokeSession(identity, ended, ORIGIN);
    await db.rows('update user_service.sessions_history set expires_at = now() where id = $1', [ranOut]);
    await db.rows(
      `update user_service.sessions_history set last_activity_at = now() - interval '2 days' where id = $1`,
      [idle],
    );
    expect((await list()).map(({ id }) => id)).toEqual([live]);
    expect((await list({ showEnded: true })).map(({ id }) => id)).toEqual([live, idle, ranOut, ended]);
  });
});

describe('revoking', () => {
  test('one ends it with its refresh tokens, and leaves an event', async () => {
    const [kept, gone] = await signInTimes(2);
    if (kept === undefined || gone === undefined) throw new Error('two were opened');
    expect(await revokeSession(identity, gone.id, ORIGIN)).toMatchObject({
      endReason: 'revoked',
      endedAt: expect.any(Date),
    });
    expect(await isActive(gone.token)).toBe(false);
    expect(await isActive(kept.token)).toBe(true);
    expect(
      await db.rows(
        'select session_id from user_service.refresh_token_families where revoked_at is not null',
      ),
    ).toEqual([{ session_id: gone.id }]);
    expect(await events('session_revoked')).toMatchObject([{ session_id: gone.id, metadata: ORIGIN }]);
    expect(identity.revoked).toMatchObject([{ kind: 'session', sessionId: gone.id, reason: 'revoked' }]);
  });

  test('one that has ended changes nothing', async () => {
    const [opened] = await signInTimes(1);
    const first = await revokeSession(identity, opened?.id as Uuid, ORIGIN);
    expect(await revokeSession(identity, opened?.id as Uuid, ORIGIN)).toEqual(first);
    expect(await events('session_revoked')).toHaveLength(1);
    expect(identity.revoked).toHaveLength(1);
  });

  test('all but one', async () => {
    const opened = await signInTimes(4);
    const except = opened[2]?.id as Uuid;
    const revocation = { userId: user.id, except, origin: ORIGIN, requestKey: null };
    expect(await revokeUserSessions(identity, revocation)).toBe(3);
    expect((await list()).map(({ id }) => id)).toEqual([except]);
    expect(await events('sessions_revoked')).toMatchObject([{ metadata: { ...ORIGIN, count: 3, except } }]);
    expect(await revokeUserSessions(identity, revocation)).toBe(0);
    expect(await events('sessions_revoked')).toHaveLength(1);
  });

  test('the same request again is answered with the first count', async () => {
    await signInTimes(3);
    const requestKey = { caller: 'a', rpc: 'r', requestId: '1', mac: Buffer.alloc(32) };
    const revocation = { userId: user.id, except: null, origin: ORIGIN, requestKey };
    expect(await revokeUserSessions(identity, revocation)).toBe(3);
    await signInTimes(1);
    expect(await revokeUserSessions(identity, revocation)).toBe(3);
    expect(await list()).toHaveLength(1);
  });

  test('by many at once counts each session once', async () => {
    const opened = await signInTimes(10);
    const counts = await Promise.all([
      ...Array.from({ length: 4 }, () =>
        revokeUserSessions(identity, { userId: user.id, except: null, origin: ORIGIN, requestKey: null }),
      ),
      ...opened.map(async ({ id }) => {
        await revokeSession(identity, id, ORIGIN);
        return 0;
      }),
    ]);
    expect(await list()).toEqual([]);
    const single = await events('session_revoked');
    expect(counts.reduce((sum, count) => sum + count, 0) + single.length).toBe(10);
    expect(await db.rows('select from user_service.revocations')).toHaveLength(10);
  });

  test('tells again of those that ended just before: whoever ended them may be telling still, or have died', async () => {
    const ids = (await signInTimes(2)).map(({ id }) => id).toSorted();
    await revokeSession(identity, ids[0] as Uuid, ORIGIN);
    identity.revoked.length = 0;
    const all = { userId: user.id, except: null, origin: ORIGIN, requestKey: null };
    expect(await revokeUserSessions(identity, all)).toBe(1);
    const told = () =>
      identity.revoked.map((revocation) => 'sessionId' in revocation && revocation.sessionId);
    expect(told().toSorted()).toEqual(ids);
    identity.revoked.length = 0;
    expect(await revokeUserSessions(identity, all)).toBe(0);
    expect(told().toSorted()).toEqual(ids);
    expect(await db.rows('select from user_service.revocations')).toHaveLength(2);
  });

  test('of a use case of its own: only live ones count', async () => {
    await signInTimes(2);
    const end = () =>
      identity.unitOfWork.transactional((repositories) =>
        endUserSessions(repositories, {
          userId: user.id,
          except: null,
          reason: 'password_changed',
          at: identity.now(),
        }),
      );
    expect(await end()).toBe(2);
    expect(await end()).toBe(0);
    expect(await db.rows('select reason from user_service.revocations')).toEqual([
      { reason: 'password_changed' },
      { reason: 'password_changed' },
    ]);
  });
});

describe('the limit', () => {
  class Limited extends TestIdentity {
    override readonly sessionPolicy = new SessionPolicy({ sessionsPerUser: 3 });
  }

  test('ends the oldest session to make room', async () => {
    identity = new Limited(db);
    const opened = await signInTimes(5);
    expect((await list()).map(({ id }) => id)).toEqual(
      opened
        .slice(2)
        .map(({ id }) => id)
        .reverse(),
    );
    expect(await identity.sessions.find(opened[0]?.id as Uuid)).toMatchObject({ endReason: 'session_limit' });
    expect(await isActive(opened[1]?.token ?? '')).toBe(false);
    expect(await events('session_limit_reached')).toMatchObject(
      opened.slice(0, 2).map(({ id }) => ({ session_id: id, metadata: { limit: 3 } })),
    );
  });

  test('idle sessions make room first', async () => {
    identity = new Limited(db);
    const [old, idle] = await signInTimes(3);
    await db.rows(
      `update user_service.sessions_history set last_activity_at = now() - interval '2 days' where id = $1`,
      [idle?.id],
    );
    const [last] = await signInTimes(1);
    expect(await identity.sessions.find(idle?.id as Uuid)).toMatchObject({ endReason: 'idle' });
    expect((await list()).map(({ id }) => id)).toEqual(expect.arrayContaining([old?.id, last?.id]));
    expect(await events('session_limit_reached')).toEqual([]);
  });

  test('holds for sign-ins at the same time', async () => {
    identity = new Limited(db);
    await Promise.all(Array.from({ length: 12 }, () => identity.signIn('ada@example.com')));
    expect(await list()).toHaveLength(3);
  });
});

describe('time', () => {
  test('ends a session that was not used for a day, late by less than the write-back takes', async () => {
    const [opened] = await signInTimes(1);
    identity.ahead = DAY_MS + 14_000;
    await db.rows(`update user_service.sessions_history set expires_at = now() + interval '30 days'`);
    expect(await list()).toHaveLength(1);
    identity.ahead = DAY_MS + 16_000;
    expect(await list()).toHaveLength(0);
    expect(opened).toBeDefined();
  });

  test('is written back as it goes on, never back, and not for a session that ended', async () => {
    const [used, ended] = await signInTimes(2);
    const at = Date.now() + 60_000;
    await revokeSession(identity, ended?.id as Uuid, ORIGIN);
    const before = await identity.sessions.find(ended?.id as Uuid);
    await identity.sessions.recordActivity([
      { sessionId: used?.id as Uuid, at },
      { sessionId: ended?.id as Uuid, at },
    ]);
    await identity.sessions.recordActivity([{ sessionId: used?.id as Uuid, at: at - 30_000 }]);
    expect((await identity.sessions.find(used?.id as Uuid))?.lastActivityAt.getTime()).toBe(at);
    expect(await identity.sessions.find(ended?.id as Uuid)).toEqual(before);
  });

  test('is written back by many replicas at once, each row in its order', async () => {
    const opened = await signInTimes(10);
    const at = Date.now() + 60_000;
    await Promise.all(
      Array.from({ length: 20 }, (_, replica) =>
        identity.sessions.recordActivity(
          (replica % 2 === 0 ? opened : opened.toReversed()).map(({ id }) => ({
            sessionId: id,
            at: at + replica,
          })),
        ),
      ),
    );
    for (const { id } of opened) {
      const stored = await identity.sessions.find(id);
      expect(stored?.lastActivityAt.getTime()).toBeGreaterThanOrEqual(at);
    }
  });
});

describe('how its user authenticated', () => {
  test('is recorded anew of a session that goes on', async () => {
    const [opened, ended] = await signInTimes(2);
    await revokeSession(identity, ended?.id as Uuid, ORIGIN);
    const at = new Date(Date.now() + 60_000);
    const record = (id: Uuid) => {
      const authentication = authenticationContext(['pwd', 'otp'], at);
      return identity.sessions.recordAuthentication({ id, authentication, mfaVerified: true, at });
    };
    expect(await record(opened?.id as Uuid)).toBe(true);
    expect(await identity.sessions.find(opened?.id as Uuid)).toMatchObject({
      mfaVerified: true,
      authentication: { amr: ['pwd', 'otp', 'mfa'], acr: 'aal2', authenticatedAt: at },
    });
    const before = await identity.sessions.find(ended?.id as Uuid);
    expect(await record(ended?.id as Uuid)).toBe(false);
    expect(await identity.sessions.find(ended?.id as Uuid)).toEqual(before);
  });

  test('was by password at its beginning, where a version that kept no more opened it', async () => {
    const { session } = await identity.signIn('ada@example.com');
    await db.rows('update user_service.sessions_history set authenticated_at = null');
    expect((await identity.sessions.find(session.id))?.authentication).toEqual({
      ...{ amr: ['pwd'], acr: 'aal1', authenticatedAt: session.createdAt },
    });
  });
});
