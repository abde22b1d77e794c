import { setTimeout as sleep } from 'node:timers/promises';
import { MikroORM } from '@mikro-orm/postgresql';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { withTestClient } from '../../../testing/database-admin.ts';
import { DatabaseUnavailable, InvalidRefreshToken } from '../domain/errors.ts';
import type { RefreshDeps } from '../domain/refresh.ts';
import type { RefreshAnswer } from '../domain/refresh-answer.ts';
import { ormOptions } from './mikro-orm.config.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { TestProxy } from './testing-proxy.ts';
import { TestRefresh } from './testing-refresh.ts';

let db: TestOrm;
let identity: TestRefresh;
beforeAll(async () => {
  db = await openTestOrm({ poolSize: 20, maxOverflow: 10 });
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows(
    'truncate user_service.users, user_service.security_events, user_service.revocations cascade',
  );
  identity = new TestRefresh(db);
});

const refused = async (token: string, on: RefreshDeps = identity.deps) =>
  await expect(identity.use(token, on)).rejects.toThrow(InvalidRefreshToken);

describe('races', () => {
  test('a hundred uses of one token at once: one successor, and identical answers', async () => {
    const { token } = await identity.signIn();
    const answers = await Promise.all(Array.from({ length: 100 }, () => identity.use(token)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(await identity.families()).toMatchObject([{ generation: 2, revoked_at: null }]);
    expect(await identity.events('refresh_token_reused')).toEqual([]);
    await identity.use(answers[0]?.refreshToken.token ?? '');
  });

  test('a hundred uses of one token after its time: one session ended, one event', async () => {
    const { token } = await identity.signIn();
    await identity.use(token);
    identity.ahead = 11_000;
    await Promise.all(Array.from({ length: 100 }, () => refused(token)));
    expect(await identity.events('refresh_token_reused')).toHaveLength(1);
    expect(identity.revoked).toHaveLength(1);
  });

  test('uses and the end of all sessions at once: no token is good afterwards, and nobody waits for ever', async () => {
    const { userId, token } = await identity.signIn();
    const sessions = [
      token,
      ...(await Promise.all([1, 2, 3, 4].map(async () => (await identity.signIn(userId)).token))),
    ];
    await Promise.all(sessions.map((each) => identity.use(each)));
    identity.ahead = 11_000;
    // Half of them are reused now, which ends their sessions too.
    const outcomes = await Promise.allSettled([
      ...sessions.map((each) => identity.use(each)),
      identity.endSessions(userId, 'password_changed'),
    ]);
    expect(outcomes.at(-1)?.status).toBe('fulfilled');
    for (const outcome of outcomes.slice(0, -1)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(InvalidRefreshToken) });
    }
    for (const row of await identity.families()) expect(row['revoked_at']).not.toBeNull();
    expect(
      new Set(identity.revoked.map((each) => (each.kind === 'session' ? each.sessionId : ''))),
    ).toHaveProperty('size', 5);
  });

  test('a use that began before the roles changed, and is decided after, says the new ones', async () => {
    const { userId, token } = await identity.signIn();
    const { families: store } = identity.deps;
    let changed = false;
    const answer = await identity.use(token, {
      ...identity.deps,
      families: {
        findState: (id) => store.findState(id),
        rotate: async (rotation) => {
          if (!changed) {
            const change = `update user_service.users set roles = '{admin,user}', token_generation = 2 where id = $1`;
            await db.rows(change, [userId]);
          }
          changed = true;
          return await store.rotate(rotation);
        },
      },
    });
    expect(decodeJwt(answer.accessToken.token)).toMatchObject({ gen: 2, roles: ['admin', 'user'] });
    expect(await identity.families()).toMatchObject([{ generation: 2, revoked_at: null }]);
    await identity.use(answer.refreshToken.token);
  });

  test('a use that began before its session ended, and is decided after, buys nothing', async () => {
    const { userId, token } = await identity.signIn();
    const { families: store } = identity.deps;
    let ended = false;
    const overtaken: RefreshDeps = {
      ...identity.deps,
      families: {
        findState: (id) => store.findState(id),
        rotate: async (rotation) => {
          if (!ended) {
            ended = true;
            await identity.endSessions(userId, 'signed_out');
          }
          return await store.rotate(rotation);
        },
      },
    };
    await refused(token, overtaken);
    expect((await identity.families())[0]).toMatchObject({ generation: 1 });
  });
});

describe('a connection that breaks off', () => {
  test('at any moment leaves the token before or after its use, and the retry works', async () => {
    await using proxy = new TestProxy(db.url);
    await proxy.up();
    const orm = await MikroORM.init(ormOptions({ databaseUrl: proxy.url }));
    const distant = identity.replica(10_000, orm.em);
    const seen = { lost: 0, answered: 0, usedUp: 0 };
    for (let round = 0; round < 60; round += 1) {
      const { token, familyId } = await identity.signIn();
      await retrying(() => distant.families.findState(familyId));
      const outcome = identity.use(token, distant).catch((error: unknown) => error);
      await sleep(Math.random() * 5);
      await proxy.down();
      const first = await outcome;
      await proxy.up();
      if (first instanceof Error) {
        expect(first).toBeInstanceOf(DatabaseUnavailable);
        seen.lost += 1;
        const [family] = await db.rows(
          'select generation from user_service.refresh_token_families where id = $1',
          [familyId],
        );
        if (family?.['generation'] === 2) seen.usedUp += 1;
      } else {
        seen.answered += 1;
      }
      const second: RefreshAnswer = await retrying(() => identity.use(token, distant));
      if (!(first instanceof Error)) expect(second).toEqual(first);
      expect(await identity.use(token)).toEqual(second);
      await identity.use(second.refreshToken.token);
    }
    await orm.close();
    expect(seen.lost).toBeGreaterThan(0);
    expect(await identity.events('refresh_token_reused')).toEqual([]);
  });

  test('while the use waits for the family: it is not used', async () => {
    const { token, familyId } = await identity.signIn();
    await withTestClient(db.url, async (client) => {
      await client.query('begin');
      await client.query('select 1 from user_service.refresh_token_families where id = $1 for update', [
        familyId,
      ]);
      const outcome = identity.use(token).catch((error: unknown) => error);
      for (;;) {
        const killed = await db.rows(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where wait_event_type = 'Lock' and datname = current_database()`,
        );
        if (killed.length > 0) break;
        await sleep(5);
      }
      expect(await outcome).toBeInstanceOf(DatabaseUnavailable);
    });
    expect((await identity.families())[0]).toMatchObject({ generation: 1 });
    await identity.use(token);
  });
});

async function retrying<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable)) throw error;
      await sleep(10);
    }
  }
}
