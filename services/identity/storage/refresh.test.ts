import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { InvalidRefreshToken, RateLimited } from '../domain/errors.ts';
import type { RefreshDeps } from '../domain/refresh.ts';
import { createRefreshToken } from '../domain/refresh-token.ts';
import type { Uuid } from '../domain/uuid.ts';
import { DEVICE } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { TestRefresh } from './testing-refresh.ts';

let db: TestOrm;
let identity: TestRefresh;
beforeAll(async () => {
  db = await openTestOrm();
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

describe('the current token', () => {
  test('buys an access token and the next refresh token, for as long as the session lasts', async () => {
    const { token, userId, sessionId, familyId } = await identity.signIn();
    identity.ahead = 5 * 3_600_000;
    const answer = await identity.use(token);
    expect(answer).toMatchObject({ userId, sessionId });
    expect(identity.used).toEqual([sessionId]);
    expect(await identity.deps.accessTokens.verify(answer.accessToken.token)).toMatchObject({
      ...{ sub: userId, sid: sessionId, roles: ['user'], gen: 1 },
    });
    const [family] = await identity.families();
    expect(family).toMatchObject({
      id: familyId,
      generation: 2,
      revoked_at: null,
      expires_at: answer.refreshToken.expiresAt,
    });
    expect(family?.['last_used_at']).toEqual(family?.['rotated_at']);
    expect((await identity.use(answer.refreshToken.token)).sessionId).toBe(sessionId);
    expect((await identity.families())[0]).toMatchObject({ generation: 3 });
  });

  test('is good for the roles and the generation of this moment', async () => {
    const { token } = await identity.signIn();
    await db.rows(`update user_service.users set roles = '{admin,user}', token_generation = 4`);
    const { accessToken } = await identity.use(token);
    expect(await identity.deps.accessTokens.verify(accessToken.token)).toMatchObject({
      roles: ['admin', 'user'],
      gen: 4,
    });
  });

  test('leaves nothing readable in the database: neither token, nor the answer', async () => {
    const { token } = await identity.signIn();
    const answer = await identity.use(token);
    const dump = JSON.stringify(await identity.families(), (_key, value: unknown) =>
      typeof value === 'object' && value !== null && (value as { type?: string }).type === 'Buffer'
        ? Buffer.from((value as { data: number[] }).data).toString('latin1')
        : value,
    );
    expect(dump).toContain('previous_answer');
    for (const secret of [token, answer.refreshToken.token, answer.accessToken.token]) {
      expect(dump).not.toContain(secret.slice(-20));
    }
  });
});

describe('the token before it', () => {
  test('gets the identical answer within the grace time, as often as it comes', async () => {
    const { token } = await identity.signIn();
    const first = await identity.use(token);
    identity.ahead = 9000;
    expect(await identity.use(token)).toEqual(first);
    expect(await identity.use(token)).toEqual(first);
    expect((await identity.families())[0]).toMatchObject({ generation: 2 });
  });

  test('ends its session after the grace time, and only its own', async () => {
    const mine = await identity.signIn();
    const other = await identity.signIn(mine.userId);
    const foreign = await identity.signIn();
    const { refreshToken } = await identity.use(mine.token);
    identity.ahead = 10_000;
    await refused(mine.token);
    await refused(refreshToken.token);
    expect(await identity.families()).toMatchObject([
      { id: mine.familyId, revocation_reason: 'refresh_token_reused', previous_answer: null },
      { id: other.familyId, revoked_at: null },
      { id: foreign.familyId, revoked_at: null },
    ]);
    const ended =
      'select id, termination_reason from user_service.sessions_history where terminated_at is not null';
    expect(await db.rows(ended)).toEqual([
      { id: mine.sessionId, termination_reason: 'refresh_token_reused' },
    ]);
    expect(await identity.events('refresh_token_reused')).toMatchObject([
      { severity: 'high', user_id: mine.userId, session_id: mine.sessionId, ip_address: DEVICE.ipAddress },
    ]);
    expect(identity.revoked).toMatchObject([
      { kind: 'session', sessionId: mine.sessionId, userId: mine.userId },
    ]);
    await identity.use(other.token);
    await identity.use(foreign.token);
  });

  test('ends its session at once where there is no grace', async () => {
    const { token } = await identity.signIn();
    const strict = identity.replica(0);
    await identity.use(token, strict);
    await refused(token, strict);
    expect(await identity.events('refresh_token_reused')).toHaveLength(1);
  });

  test('of two turns ago ends its session, however soon it comes', async () => {
    const { token } = await identity.signIn();
    await identity.use((await identity.use(token)).refreshToken.token);
    await refused(token);
    expect(await identity.events('refresh_token_reused')).toHaveLength(1);
  });

  test('gets nothing where the session ended meanwhile', async () => {
    const { token, userId } = await identity.signIn();
    await identity.use(token);
    await identity.endSessions(userId, 'signed_out');
    await refused(token);
    expect(await identity.events('refresh_token_reused')).toEqual([]);
  });
});

describe('is not good, and no sign of theft:', () => {
  test.each([
    ['the session has ended', `update user_service.sessions_history set terminated_at = now()`],
    ['the session has run out', `update user_service.sessions_history set expires_at = now()`],
    [
      'the session was left unused',
      `update user_service.sessions_history set last_activity_at = now() - interval '25 h'`,
    ],
    ['the family was revoked', `update user_service.refresh_token_families set revoked_at = now()`],
    ['the family has run out', `update user_service.refresh_token_families set expires_at = now()`],
    ['the user was suspended', `update user_service.users set status = 'suspended'`],
    ['the user is inactive', `update user_service.users set status = 'inactive'`],
    ['the user was deleted', `update user_service.users set status = 'deleted', deleted_at = now()`],
  ])('%s', async (_case, change) => {
    const { token } = await identity.signIn();
    const next = (await identity.use(token)).refreshToken.token;
    await db.rows(change);
    await refused(next);
    await refused(token);
    expect(await identity.events('refresh_token_reused')).toEqual([]);
    expect((await identity.families())[0]).toMatchObject({ generation: 2 });
  });

  test('a token of a family that is not there', async () => {
    await refused(createRefreshToken(randomUUID() as Uuid).token);
  });

  test.each(['', 'opaque', 'a.b.c', `optix_rt_${'A'.repeat(66)}`])(
    'a text that is no refresh token: %j',
    async (text) => {
      await refused(text);
      expect(identity.limiter.asked).toEqual([['auth_refresh', expect.stringMatching(/^ip:/)]]);
    },
  );
});

test('a token that was made up for a family that goes on ends the session, as a stolen one would', async () => {
  const { familyId } = await identity.signIn();
  await refused(createRefreshToken(familyId).token);
  expect(await identity.events('refresh_token_reused')).toHaveLength(1);
});

describe('limits', () => {
  test('are asked by network and by family, before the token is looked at', async () => {
    const { token, familyId } = await identity.signIn();
    await identity.use(token);
    expect(identity.limiter.asked).toEqual([
      ['auth_refresh', 'ip:2001:db8:0:0::/64'],
      ['auth_refresh', expect.stringMatching(/^family:[A-Za-z0-9_-]{43}$/)],
    ]);
    expect(JSON.stringify(identity.limiter.asked)).not.toContain(familyId);
  });

  test.each([/^ip:/, /^family:/])('a denial by %s uses nothing up', async (denied) => {
    const { token } = await identity.signIn();
    identity.limiter.deny = (identifier) => (denied.test(identifier) ? 5000 : null);
    await expect(identity.use(token)).rejects.toThrow(RateLimited);
    expect((await identity.families())[0]).toMatchObject({ generation: 1 });
  });
});
