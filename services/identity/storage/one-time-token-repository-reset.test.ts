import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { confirmPasswordReset } from '../domain/credentials/confirm-password-reset.ts';
import { requestPasswordReset } from '../domain/credentials/request-password-reset.ts';
import { MailNotConfigured, PasswordRefused, RateLimited, TokenNotUsable } from '../domain/errors.ts';
import { PasswordHasher } from '../domain/password-hasher.ts';
import type { User } from '../domain/user.ts';
import {
  accountIn,
  eventsIn,
  freshAccount,
  KEY,
  liveSessionsIn,
  NEW_PASSWORD,
} from './testing-credentials.ts';
import { DEVICE, email, type TestIdentity } from './testing-identity.ts';
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

describe('a request for a reset', () => {
  const request = (address = 'ADA@example.com') =>
    requestPasswordReset(identity, { email: email(address), device: DEVICE });
  const everything = async () => {
    const counts = await db.rows(
      `select (select count(*)::int from user_service.outgoing_mails) as mails,
         (select count(*)::int from user_service.one_time_tokens where purpose = 'password_reset') as tokens,
         (select count(*)::int from user_service.security_events) as events`,
    );
    return counts[0];
  };

  test.each([
    ['somebody has the address', 'ada@example.com', 'select 1'],
    ['nobody has the address', 'eve@example.com', 'select 1'],
    [
      'the account was deleted',
      'ada@example.com',
      `update user_service.users set status = 'deleted', deleted_at = now()`,
    ],
    ['the account is suspended', 'ada@example.com', `update user_service.users set status = 'suspended'`],
  ])('writes one sealed row and looks nothing up, where %s', async (_case, address, prepare) => {
    await db.rows(prepare);
    await request(address);
    expect(await everything()).toEqual({ mails: 1, tokens: 0, events: 0 });
    const [row] = await db.rows('select * from user_service.outgoing_mails');
    expect(row?.['user_id']).toBe('00000000-0000-0000-0000-000000000000');
    expect(String(row?.['payload'])).not.toMatch(/example/);
  });

  test('is answered with a mail by the delivery, once', async () => {
    await request();
    expect(await mailbox.receive()).toMatchObject([
      {
        to: 'Ada@example.com',
        message: { template: 'reset_password', token: expect.stringMatching(/^[\w-]{43}$/) },
      },
    ]);
    expect(await everything()).toEqual({ mails: 0, tokens: 1, events: 1 });
    expect(await events()).toMatchObject([
      {
        event_type: 'password_reset_requested',
        user_id: ada.id,
        ip_address: '2001:db8::7',
        metadata: { mailed: true },
      },
    ]);
  });

  test.each([
    ['nobody has the address', 'eve@example.com', 'select 1', null],
    [
      'the account is suspended',
      'ada@example.com',
      `update user_service.users set status = 'suspended'`,
      'ada',
    ],
  ])('is answered with none where %s, and recorded', async (_case, address, prepare, whose) => {
    await db.rows(prepare);
    await request(address);
    expect(await mailbox.receive()).toEqual([]);
    expect(await everything()).toEqual({ mails: 0, tokens: 0, events: 1 });
    expect(await events()).toMatchObject([
      { user_id: whose === null ? null : ada.id, metadata: { mailed: false } },
    ]);
  });

  test('is limited by address and by account', async () => {
    identity.limiter.asked.length = 0;
    await request();
    expect(identity.limiter.asked).toEqual([
      ['auth_password_reset', 'ip:2001:db8:0:0::/64'],
      ['auth_password_reset', expect.stringMatching(/^account:[\w-]{43}$/)],
    ]);
    identity.limiter.deny = (identifier) => (identifier.startsWith('account:') ? 900 : null);
    await expect(request()).rejects.toEqual(new RateLimited(900));
  });

  test('is refused where no mail is set up, whoever is meant', async () => {
    Object.assign(identity.mail, { enabled: false });
    for (const address of ['ada@example.com', 'eve@example.com']) {
      await expect(request(address)).rejects.toBeInstanceOf(MailNotConfigured);
    }
  });
});

describe('the token of a reset mail', () => {
  const confirm = (token: string, newPassword = NEW_PASSWORD, key: typeof KEY | null = null) =>
    confirmPasswordReset(identity, { token, newPassword, device: DEVICE }, key);
  const newToken = async () => {
    await requestPasswordReset(identity, { email: email('ada@example.com'), device: DEVICE });
    return await mailbox.token('reset_password');
  };

  test('sets a password: sessions and the lock end, the address is verified, the owner is told', async () => {
    await identity.signIn('ada@example.com');
    await db.rows(
      `update user_service.users set failed_login_attempts = 7, locked_until = now() + interval '1 h'`,
    );
    const token = await newToken();
    await db.rows('truncate user_service.security_events');
    const done = await confirm(token);
    expect(done).toEqual({ userId: ada.id, revokedSessions: 1, changedAt: expect.any(Date) });
    expect(await liveSessions()).toEqual([]);
    expect(identity.revoked).toMatchObject([{ kind: 'session', reason: 'password_reset' }]);
    expect(await account()).toMatchObject({
      failed_login_attempts: 0,
      locked_until: null,
      email_verified_at: done.changedAt,
      password_changed_at: done.changedAt,
      version: ada.version + 1,
    });
    expect(await events()).toMatchObject([
      { event_type: 'password_reset', severity: 'medium', user_id: ada.id, ip_address: '2001:db8::7' },
    ]);
    expect(await mailbox.receive()).toMatchObject([{ message: { template: 'password_changed' } }]);
    await identity.signIn('ada@example.com', NEW_PASSWORD);
  });

  test('gives a password to an account that had none', async () => {
    await db.rows('update user_service.users set password_hash = null');
    await confirm(await newToken());
    await identity.signIn('ada@example.com', NEW_PASSWORD);
  });

  test('is kept as its SHA-256 only', async () => {
    const token = await newToken();
    const dump = JSON.stringify(await db.rows('select t::text from user_service.one_time_tokens t'));
    expect(dump).not.toContain(token);
    expect(dump).not.toContain(Buffer.from(token).toString('hex'));
  });

  test('works once; a retry of the request is answered as the first', async () => {
    const token = await newToken();
    const done = await confirm(token, NEW_PASSWORD, KEY);
    expect(await confirm(token, NEW_PASSWORD, KEY)).toEqual(done);
    await expect(confirm(token)).rejects.toBeInstanceOf(TokenNotUsable);
  });

  test('survives a password that the policy refuses', async () => {
    const token = await newToken();
    await expect(confirm(token, 'lovelace')).rejects.toBeInstanceOf(PasswordRefused);
    await confirm(token);
  });

  test.each<[string, () => Promise<unknown>]>([
    ['it is unknown', () => db.rows('delete from user_service.one_time_tokens')],
    ['it has expired', async () => (identity.ahead += 1_800_001)],
    ['a newer one was sent', newToken],
    [
      'the address changed',
      () => db.rows(`update user_service.users set email_normalized = 'other@example.com'`),
    ],
    [
      'the account was deleted',
      () => db.rows(`update user_service.users set status = 'deleted', deleted_at = now()`),
    ],
    ['the account was suspended', () => db.rows(`update user_service.users set status = 'suspended'`)],
    [
      'it is one for another purpose',
      () => db.rows(`update user_service.one_time_tokens set purpose = 'email_verification'`),
    ],
  ])('does not work where %s', async (_case, prepare) => {
    const token = await newToken();
    await prepare();
    await expect(confirm(token)).rejects.toBeInstanceOf(TokenNotUsable);
    expect(await account()).toMatchObject({ password_changed_at: null });
  });

  test('works again once the account may be used again', async () => {
    const token = await newToken();
    await db.rows(`update user_service.users set status = 'suspended'`);
    await expect(confirm(token)).rejects.toBeInstanceOf(TokenNotUsable);
    await db.rows(`update user_service.users set status = 'active'`);
    await confirm(token);
  });

  test('of 1,000 uses at once, one succeeds', async () => {
    identity.hasher = new PasswordHasher({ memoryKiB: 8, passes: 1, parallelism: 1, queueLimit: 1000 });
    const token = await newToken();
    const passwords = Array.from({ length: 1000 }, (_, index) => `new horse number ${index}`);
    const results = await Promise.allSettled(passwords.map((password) => confirm(token, password)));
    const winners = passwords.filter((_, index) => results[index]?.status === 'fulfilled');
    expect(winners).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(TokenNotUsable);
    }
    await identity.signIn('ada@example.com', winners[0]);
    expect((await events()).filter(({ event_type: type }) => type === 'password_reset')).toHaveLength(1);
  });
});
