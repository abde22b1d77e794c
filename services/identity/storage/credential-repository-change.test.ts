import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { changePassword, type PasswordChange } from '../domain/credentials/change-password.ts';
import { confirmPasswordReset } from '../domain/credentials/confirm-password-reset.ts';
import { requestPasswordReset } from '../domain/credentials/request-password-reset.ts';
import { InvalidCredentials, RateLimited, RequestIdReused, TokenNotUsable } from '../domain/errors.ts';
import { PasswordHasher } from '../domain/password-hasher.ts';
import { normalizePassword } from '../domain/password-policy.ts';
import type { User } from '../domain/user.ts';
import {
  accountIn,
  eventsIn,
  freshAccount,
  KEY,
  liveSessionsIn,
  NEW_PASSWORD,
} from './testing-credentials.ts';
import { DEVICE, email, PASSWORD, type TestIdentity } from './testing-identity.ts';
import type { TestMailbox } from './testing-mailbox.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

let db: TestOrm;
let identity: TestIdentity;
let mailbox: TestMailbox;
let ada: User;
beforeAll(async () => {
  db = await openTestOrm({ connectTimeoutMs: 30_000 });
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  ({ identity, mailbox, ada } = await freshAccount(db));
});

const account = () => accountIn(db);
const events = () => eventsIn(db);
const liveSessions = () => liveSessionsIn(db);

describe('a user who knows the password', () => {
  const change = (changes: Partial<PasswordChange> = {}, key: typeof KEY | null = null) =>
    changePassword(
      identity,
      {
        userId: ada.id,
        currentPassword: PASSWORD,
        newPassword: NEW_PASSWORD,
        sessionId: null,
        device: DEVICE,
        ...changes,
      },
      key,
    );

  test('changes it: all sessions end but the one it is changed in, and the owner is told', async () => {
    const kept = await identity.signIn('ada@example.com');
    const other = await identity.signIn('ada@example.com');
    expect(await change({ sessionId: kept.session.id })).toEqual({ userId: ada.id, revokedSessions: 1 });
    expect(await liveSessions()).toEqual([kept.session.id]);
    expect(identity.revoked).toMatchObject([
      { kind: 'session', sessionId: other.session.id, reason: 'password_changed' },
    ]);
    expect(await account()).toMatchObject({
      password_changed_at: expect.any(Date),
      version: ada.version + 1,
    });
    expect(await events()).toMatchObject([
      { event_type: 'password_changed', severity: 'medium', user_id: ada.id, session_id: kept.session.id },
    ]);
    expect(await mailbox.receive()).toMatchObject([
      { to: 'Ada@example.com', message: { template: 'password_changed' } },
    ]);
    await identity.signIn('ada@example.com', NEW_PASSWORD);
    await expect(identity.signIn('ada@example.com', PASSWORD)).rejects.toBeInstanceOf(InvalidCredentials);
  });

  test('ends reset mails that somebody asked for before', async () => {
    await requestPasswordReset(identity, { email: email('ada@example.com'), device: DEVICE });
    const token = await mailbox.token('reset_password');
    await change();
    await expect(
      confirmPasswordReset(identity, { token, newPassword: 'another fine horse', device: DEVICE }, null),
    ).rejects.toBeInstanceOf(TokenNotUsable);
  });

  test('may send the request again: it is answered as the first', async () => {
    await identity.signIn('ada@example.com');
    const first = await change({}, KEY);
    expect(first.revokedSessions).toBe(1);
    expect(await change({}, KEY)).toEqual(first);
    expect(await events()).toHaveLength(1);
    expect(await account()).toMatchObject({ failed_login_attempts: 0 });
    await expect(change({}, { ...KEY, mac: Buffer.alloc(32, 2) })).rejects.toBeInstanceOf(RequestIdReused);
  });

  test('changes it although a sign-in hashes the old one anew meanwhile', async () => {
    const cheap = new PasswordHasher({ memoryKiB: 8, passes: 1 });
    const outdated = await cheap.hash(normalizePassword(PASSWORD));
    await db.rows('update user_service.users set password_hash = $1', [outdated]);
    const hash = identity.hasher.hash.bind(identity.hasher);
    vi.spyOn(identity.hasher, 'hash').mockImplementationOnce(async (...args) => {
      await identity.signIn('ada@example.com');
      return await hash(...args);
    });
    await change();
    await identity.signIn('ada@example.com', NEW_PASSWORD);
    expect(await account()).toMatchObject({ failed_login_attempts: 0 });
  });

  test.each([
    ['too short', 'short'],
    ['the address', 'ada@example.com'],
  ])('can not take a new one that is %s', async (_case, newPassword) => {
    await expect(change({ newPassword })).rejects.toMatchObject({ field: 'new_password' });
    expect(await events()).toEqual([]);
    await identity.signIn('ada@example.com');
  });
});

describe('a change with a wrong current password', () => {
  const guess = (currentPassword = 'wrong') =>
    changePassword(
      identity,
      { userId: ada.id, currentPassword, newPassword: NEW_PASSWORD, sessionId: null, device: DEVICE },
      null,
    );

  test('is refused and counts as a failed sign-in does, until the account is locked', async () => {
    for (let times = 0; times < 5; times += 1) {
      await expect(guess()).rejects.toEqual(new InvalidCredentials());
    }
    expect(await account()).toMatchObject({ failed_login_attempts: 5, locked_until: expect.any(Date) });
    await expect(guess(PASSWORD)).rejects.toEqual(new InvalidCredentials());
    await expect(identity.signIn('ada@example.com')).rejects.toEqual(new InvalidCredentials());
    expect(await account()).toMatchObject({ password_changed_at: null });
  });

  test('counts also where its request id is taken', async () => {
    const guessWith = (mac: number, currentPassword: string) =>
      changePassword(
        identity,
        { userId: ada.id, currentPassword, newPassword: NEW_PASSWORD, sessionId: null, device: DEVICE },
        { ...KEY, mac: Buffer.alloc(32, mac) },
      );
    await guessWith(1, PASSWORD);
    for (let times = 0; times < 5; times += 1) {
      await expect(guessWith(2, 'wrong')).rejects.toBeInstanceOf(RequestIdReused);
    }
    expect(await account()).toMatchObject({ failed_login_attempts: 5, locked_until: expect.any(Date) });
  });

  test('does not tell by the policy who the user is', async () => {
    await expect(
      changePassword(
        identity,
        {
          userId: ada.id,
          currentPassword: 'wrong',
          newPassword: 'lovelace',
          sessionId: null,
          device: DEVICE,
        },
        null,
      ),
    ).rejects.toEqual(new InvalidCredentials());
  });

  test.each([
    ['an unknown user', 'delete from user_service.users'],
    ['a suspended account', `update user_service.users set status = 'suspended'`],
    ['an account without a password', 'update user_service.users set password_hash = null'],
  ])('%s is refused the same', async (_case, prepare) => {
    await db.rows('truncate user_service.one_time_tokens');
    await db.rows(prepare);
    await expect(guess(PASSWORD)).rejects.toEqual(new InvalidCredentials());
  });

  test('of a network that is locked out is refused before it is looked at', async () => {
    await db.rows(
      `insert into user_service.sign_in_throttles values ('2001:db8:0:0::/64', 100, now(), now() + interval '1 min')`,
    );
    await expect(guess(PASSWORD)).rejects.toBeInstanceOf(RateLimited);
  });
});
