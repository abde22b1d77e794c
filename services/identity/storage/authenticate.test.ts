import { createHash } from 'node:crypto';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { InvalidCredentials, RateLimited } from '../domain/errors.ts';
import { PasswordHasher } from '../domain/password-hasher.ts';
import { normalizePassword } from '../domain/password-policy.ts';
import { parseRefreshToken } from '../domain/refresh-token.ts';
import type { User } from '../domain/user.ts';
import { PASSWORD, TestIdentity } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

let db: TestOrm;
let identity: TestIdentity;
let ada: User;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows(
    'truncate user_service.users, user_service.security_events, user_service.signing_keys, user_service.sign_in_throttles, user_service.outgoing_mails cascade',
  );
  identity = new TestIdentity(db);
  ada = await identity.register('ada@example.com');
  identity.limiter.asked.length = 0;
  await db.rows('truncate user_service.security_events, user_service.outgoing_mails');
});

const events = () => db.rows('select * from user_service.security_events order by id');
const sessions = () => db.rows('select * from user_service.sessions_history');
const families = () => db.rows('select * from user_service.refresh_token_families');
const account = async () => (await db.rows('select * from user_service.users where id = $1', [ada.id]))[0];

describe('with the right password', () => {
  test('opens a session: session, family, sign-in time and event', async () => {
    await db.rows(
      `update user_service.users set failed_login_attempts = 3, locked_until = now() - interval '1 s'`,
    );
    const signedIn = await identity.signIn('ADA@example.com');
    const { session, refreshToken } = signedIn;
    expect(session.expiresAt.getTime() - session.createdAt.getTime()).toBe(30 * 24 * 3_600_000);
    expect(signedIn.user).toEqual({ ...ada, lastLoginAt: session.createdAt });

    expect(await sessions()).toMatchObject([
      {
        id: session.id,
        user_id: ada.id,
        device_id: 'device-1',
        device_fingerprint: 'fp-1',
        device_name: "Ada's laptop",
        ip_address: '2001:db8::7',
        user_agent: 'tests/1.0',
        created_at: session.createdAt,
        expires_at: session.expiresAt,
        terminated_at: null,
        last_activity_at: session.createdAt,
        mfa_verified: false,
        is_trusted_device: false,
        amr: ['pwd'],
        authenticated_at: session.createdAt,
      },
    ]);
    expect(await families()).toMatchObject([
      {
        user_id: ada.id,
        session_id: session.id,
        device_id: 'device-1',
        generation: 1,
        current_token_hash: parseRefreshToken(refreshToken.token)?.hash,
        expires_at: session.expiresAt,
        revoked_at: null,
      },
    ]);
    expect(await account()).toMatchObject({
      last_login_at: session.createdAt,
      failed_login_attempts: 0,
      locked_until: null,
      // Signing in is no change of the account: an editor's etag stays good.
      version: 1,
      updated_at: ada.updatedAt,
    });
    expect(await events()).toMatchObject([
      { event_type: 'login_succeeded', severity: 'info', user_id: ada.id, session_id: session.id },
    ]);
    expect(decodeJwt(signedIn.accessToken.token)).toMatchObject({
      sub: ada.id,
      sid: session.id,
      roles: ['user'],
      gen: 1,
      ...{ amr: ['pwd'], acr: 'aal1', auth_time: Math.floor(session.createdAt.getTime() / 1000) },
    });
  });

  test('the refresh token is stored as its SHA-256 only', async () => {
    const { refreshToken } = await identity.signIn('ada@example.com');
    const dump = JSON.stringify([await families(), await sessions(), await events(), await account()]);
    expect(dump).not.toContain(refreshToken.token.slice(-43));
    expect((await families())[0]?.['current_token_hash']).toEqual(
      createHash('sha256').update(refreshToken.token).digest(),
    );
  });

  test('a password hashed by another system is taken, and hashed anew', async () => {
    const bcrypt = '$2b$04$BV5RjXHjecFVs4RYTmq.iOh9VSjeCOg3r61qSMioJnlTG5dgLwL9e';
    await db.rows('update user_service.users set password_hash = $1', [bcrypt]);
    await identity.signIn('ada@example.com', 'short');
    expect((await account())?.['password_hash']).toMatch(/^\$argon2id\$/);
    // The policy is for passwords that are chosen: this one is too short for it.
    await identity.signIn('ada@example.com', 'short');
  });

  test('an outdated hash is replaced on the way', async () => {
    const before = (await account())?.['password_hash'];
    identity.hasher = new PasswordHasher({ memoryKiB: 128, passes: 1, parallelism: 1 });
    await identity.signIn('ada@example.com');
    const after = (await account())?.['password_hash'];
    expect(before).toContain('$m=64,');
    expect(after).toContain('$m=128,');
    await identity.signIn('ada@example.com');
    expect((await account())?.['password_hash']).toBe(after);
  });

  test.each(['security_events', 'refresh_token_families', 'sessions_history'])(
    'where %s can not be written, nothing is',
    async (table) => {
      await db.rows(`alter table user_service.${table} add constraint test_refuses check (false) not valid`);
      try {
        await expect(identity.signIn('ada@example.com')).rejects.toMatchObject({
          constraint: 'test_refuses',
        });
      } finally {
        await db.rows(`alter table user_service.${table} drop constraint test_refuses`);
      }
      expect([await sessions(), await families(), await events()]).toEqual([[], [], []]);
      expect(await account()).toMatchObject({ last_login_at: null });
    },
  );
});

test('of sign-ins at one moment with a hash of another cost, one replaces it and all succeed', async () => {
  const cheap = new PasswordHasher({ memoryKiB: 8, passes: 1 });
  const outdated = await cheap.hash(normalizePassword(PASSWORD));
  await db.rows('update user_service.users set password_hash = $1', [outdated]);
  const signedIn = await Promise.all(Array.from({ length: 5 }, () => identity.signIn('ada@example.com')));
  expect(new Set(signedIn.map(({ session }) => session.id)).size).toBe(5);
  expect(await account()).toMatchObject({
    failed_login_attempts: 0,
    password_hash: expect.stringContaining(identity.hasher.prefix),
  });
  expect(new Set((await events()).map((event) => event['event_type']))).toEqual(new Set(['login_succeeded']));
});

describe('refuses, and records why,', () => {
  const suspend = () => db.rows(`update user_service.users set status = 'suspended'`);

  test.each<[string, string, string, () => Promise<unknown>]>([
    ['a wrong password', 'wrong_password', 'wrong horse battery', async () => undefined],
    ['an empty password', 'wrong_password', '', async () => undefined],
    ['a password longer than any can be', 'wrong_password', 'x'.repeat(10_000), async () => undefined],
    [
      'an account without a password',
      'no_password',
      PASSWORD,
      () => db.rows('update user_service.users set password_hash = null'),
    ],
    ['a suspended account', 'account_not_active', PASSWORD, suspend],
    [
      'an inactive account',
      'account_not_active',
      PASSWORD,
      () => db.rows(`update user_service.users set status = 'inactive'`),
    ],
    ['a suspended account with a wrong password', 'wrong_password', 'wrong horse battery', suspend],
  ])('%s', async (_case, reason, password, prepare) => {
    await prepare();
    await expect(identity.signIn('ada@example.com', password)).rejects.toEqual(new InvalidCredentials());
    expect([await sessions(), await families()]).toEqual([[], []]);
    expect(await account()).toMatchObject({ failed_login_attempts: 1, last_login_at: null });
    expect(await events()).toMatchObject([
      {
        event_type: 'login_failed',
        severity: 'low',
        user_id: ada.id,
        session_id: null,
        metadata: { reason },
      },
    ]);
  });

  test.each([
    ['an unknown address', 'eve@example.com', async () => undefined],
    [
      'a deleted account',
      'ada@example.com',
      () => db.rows(`update user_service.users set status = 'deleted', deleted_at = now()`),
    ],
  ])('%s, of nobody known', async (_case, address, prepare) => {
    await prepare();
    await expect(identity.signIn(address)).rejects.toEqual(new InvalidCredentials());
    expect(await sessions()).toEqual([]);
    expect(await account()).toMatchObject({ failed_login_attempts: 0 });
    expect(await events()).toMatchObject([
      { event_type: 'login_failed', user_id: null, metadata: { reason: 'unknown_address' } },
    ]);
    expect(JSON.stringify(await events())).not.toContain('@example.com');
  });

  test('a failure whose event can not be written is not counted either', async () => {
    await db.rows(
      'alter table user_service.security_events add constraint test_refuses check (false) not valid',
    );
    try {
      await expect(identity.signIn('ada@example.com', 'wrong')).rejects.toMatchObject({
        name: 'DatabaseError',
      });
    } finally {
      await db.rows('alter table user_service.security_events drop constraint test_refuses');
    }
    expect(await account()).toMatchObject({ failed_login_attempts: 0 });
  });
});

describe('an account that changes while its password is checked gets no session:', () => {
  test.each([
    ['suspended', `update user_service.users set status = 'suspended'`],
    ['deleted', `update user_service.users set status = 'deleted', deleted_at = now()`],
    ['locked', `update user_service.users set locked_until = now() + interval '1 h'`],
    ['given a second factor', `update user_service.users set mfa_enabled = true, mfa_type = 'totp'`],
    ['given another password', `update user_service.users set password_hash = 'other'`],
  ])('%s', async (_case, change) => {
    const check = identity.hasher.check.bind(identity.hasher);
    vi.spyOn(identity.hasher, 'check').mockImplementation(async (...args) => {
      const checked = await check(...args);
      await db.rows(change);
      return checked;
    });
    await expect(identity.signIn('ada@example.com')).rejects.toEqual(new InvalidCredentials());
    expect([await sessions(), await families()]).toEqual([[], []]);
    expect(await events()).toMatchObject([
      { event_type: 'login_failed', metadata: { reason: 'account_changed' } },
    ]);
  });

  test('new roles are in the token', async () => {
    const check = identity.hasher.check.bind(identity.hasher);
    vi.spyOn(identity.hasher, 'check').mockImplementation(async (...args) => {
      const checked = await check(...args);
      await db.rows(`update user_service.users set roles = '{trial}'`);
      return checked;
    });
    const { accessToken } = await identity.signIn('ada@example.com');
    expect(decodeJwt(accessToken.token)['roles']).toEqual(['trial']);
  });
});

describe('asks the limiter', () => {
  const key = `account:${createHash('sha256').update('optix.account\0ada@example.com').digest('base64url')}`;

  test('by address and by account, without telling it the account', async () => {
    await identity.signIn('ADA@Example.com');
    expect(identity.limiter.asked).toEqual([
      ['auth_login', 'ip:2001:db8:0:0::/64'],
      ['auth_login', key],
    ]);
  });

  test.each(['ip:', 'account:'])(
    'and a denial for %s ends it: no look-up, no hash, no event',
    async (prefix) => {
      identity.limiter.deny = (identifier) => (identifier.startsWith(prefix) ? 2500 : null);
      const findCredentials = vi.spyOn(identity.credentials, 'findCredentials');
      await expect(identity.signIn('ada@example.com')).rejects.toEqual(new RateLimited(2500));
      expect(findCredentials).not.toHaveBeenCalled();
      expect(await events()).toEqual([]);
    },
  );
});

test('a caller that has gone gets no session', async () => {
  const gone = new AbortController();
  const signingIn = identity.signIn('ada@example.com', PASSWORD, gone.signal);
  gone.abort(new Error('the caller has gone'));
  await expect(signingIn).rejects.toThrow('the caller has gone');
  expect(await sessions()).toEqual([]);
});

test('more sign-ins at once than the pool has connections: all succeed, the newest sessions stay', async () => {
  const results = await Promise.allSettled(
    Array.from({ length: 60 }, () => identity.signIn('ada@example.com')),
  );
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(60);
  const ended = (await sessions()).filter((session) => session['terminated_at'] !== null);
  expect(ended).toHaveLength(40);
});
