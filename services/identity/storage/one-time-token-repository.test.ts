import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sendEmailVerification } from '../domain/credentials/send-email-verification.ts';
import { verifyEmail } from '../domain/credentials/verify-email.ts';
import {
  EmailAlreadyVerified,
  MailNotConfigured,
  RateLimited,
  TokenNotUsable,
  UserNotFound,
} from '../domain/errors.ts';
import type { User } from '../domain/user.ts';
import type { Uuid } from '../domain/uuid.ts';
import { TestIdentity } from './testing-identity.ts';
import { TestMailbox } from './testing-mailbox.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

const KEY = { caller: 'web', rpc: 'Verify', requestId: 'r1', mac: Buffer.alloc(32, 1) };
const DAY_MS = 24 * 3_600_000;

let db: TestOrm;
let identity: TestIdentity;
let mailbox: TestMailbox;
let ada: User;
beforeAll(async () => {
  db = await openTestOrm({ connectTimeoutMs: 30_000 });
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows(
    'truncate user_service.users, user_service.outgoing_mails, user_service.answered_requests cascade',
  );
  identity = new TestIdentity(db);
  mailbox = new TestMailbox(db, identity);
  ada = await identity.register('Ada@example.com');
  await db.rows('truncate user_service.security_events');
});

const events = async () =>
  (await db.rows('select event_type from user_service.security_events order by id')).map(
    ({ event_type: type }) => type,
  );

describe('a mail to verify an address', () => {
  test('carries a token that holds a day, and ends those before', async () => {
    const first = await mailbox.token('verify_email');
    const { expiresAt } = await sendEmailVerification(identity, ada.id, null);
    expect(Math.abs(expiresAt.getTime() - identity.now().getTime() - DAY_MS)).toBeLessThan(5000);
    const second = await mailbox.token('verify_email');
    await expect(verifyEmail(identity, first, null)).rejects.toBeInstanceOf(TokenNotUsable);
    await verifyEmail(identity, second, null);
    expect(await events()).toEqual(['email_verification_sent', 'email_verified']);
  });

  test('is sent once for a request that is sent again', async () => {
    await mailbox.receive();
    const first = await sendEmailVerification(identity, ada.id, KEY);
    expect(await sendEmailVerification(identity, ada.id, KEY)).toEqual(first);
    expect(await mailbox.receive()).toHaveLength(1);
  });

  test('is not sent to nobody, to an address that is verified, past the limit, nor without a mailer', async () => {
    await expect(
      sendEmailVerification(identity, '01890000-0000-7000-8000-000000000000' as Uuid, null),
    ).rejects.toBeInstanceOf(UserNotFound);
    await verifyEmail(identity, await mailbox.token('verify_email'), null);
    await expect(sendEmailVerification(identity, ada.id, null)).rejects.toBeInstanceOf(EmailAlreadyVerified);
    expect(identity.limiter.asked.at(-1)).toEqual(['auth_email_verification', `user:${ada.id}`]);
    identity.limiter.deny = () => 700;
    await expect(sendEmailVerification(identity, ada.id, null)).rejects.toEqual(new RateLimited(700));
    Object.assign(identity.mail, { enabled: false });
    await expect(sendEmailVerification(identity, ada.id, null)).rejects.toBeInstanceOf(MailNotConfigured);
    expect(await mailbox.receive()).toEqual([]);
  });

  test('of 20 at once one works, and no other', async () => {
    await mailbox.receive();
    await Promise.all(Array.from({ length: 20 }, () => sendEmailVerification(identity, ada.id, null)));
    const mails = await mailbox.receive();
    expect(mails).toHaveLength(20);
    const results = await Promise.allSettled(
      mails.map(({ message }) => verifyEmail(identity, 'token' in message ? message.token : '', null)),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

describe('the token in it', () => {
  let token: string;
  beforeEach(async () => {
    token = await mailbox.token('verify_email');
  });

  test('verifies the address, once; a retry of the request is answered as the first', async () => {
    const user = await verifyEmail(identity, token, KEY);
    expect(user).toEqual({
      ...ada,
      emailVerifiedAt: expect.any(Date),
      updatedAt: user.emailVerifiedAt,
      version: ada.version + 1,
    });
    expect(await verifyEmail(identity, token, KEY)).toEqual(user);
    await expect(verifyEmail(identity, token, null)).rejects.toBeInstanceOf(TokenNotUsable);
    expect(await events()).toEqual(['email_verified']);
  });

  test.each<[string, () => Promise<unknown>]>([
    ['it has expired', async () => (identity.ahead += DAY_MS + 1)],
    [
      'the address changed',
      () => db.rows(`update user_service.users set email_normalized = 'other@example.com'`),
    ],
    [
      'the account was deleted',
      () => db.rows(`update user_service.users set status = 'deleted', deleted_at = now()`),
    ],
    [
      'it is one for another purpose',
      () => db.rows(`update user_service.one_time_tokens set purpose = 'password_reset'`),
    ],
    [
      'it was ended',
      () =>
        identity.unitOfWork.transactional(({ oneTimeTokens }) =>
          oneTimeTokens.endOpen(ada.id, identity.now()),
        ),
    ],
  ])('does not work where %s', async (_case, prepare) => {
    await prepare();
    await expect(verifyEmail(identity, token, null)).rejects.toBeInstanceOf(TokenNotUsable);
    expect(await db.rows('select email_verified_at from user_service.users')).toEqual([
      { email_verified_at: null },
    ]);
    expect(await events()).toEqual([]);
  });

  test.each(['', 'x', 'x'.repeat(100_000), '\0'])('is not %j', async (text) => {
    await expect(verifyEmail(identity, text, null)).rejects.toBeInstanceOf(TokenNotUsable);
  });

  test('of 1,000 uses at once, one succeeds', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 1000 }, () => verifyEmail(identity, token, null)),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(TokenNotUsable);
    }
    expect(await events()).toEqual(['email_verified']);
  });

  test('races with a change of the address without waiting for each other', async () => {
    for (let round = 0; round < 20; round += 1) {
      const results = await Promise.allSettled([
        verifyEmail(identity, token, null),
        identity.unitOfWork.transactional(async ({ users, oneTimeTokens }) => {
          await users.hold(ada.id);
          await oneTimeTokens.endOpen(ada.id, identity.now());
        }),
      ]);
      expect(results[1].status).toBe('fulfilled');
      if (results[0].status === 'rejected') expect(results[0].reason).toBeInstanceOf(TokenNotUsable);
      await db.rows('update user_service.users set email_verified_at = null');
      await sendEmailVerification(identity, ada.id, null);
      token = await mailbox.token('verify_email');
    }
  });

  test('is forgotten by the maintenance once it ended long ago', async () => {
    const soon = new Date(identity.now().getTime() + 1000);
    expect(await identity.oneTimeTokens.deleteExpired(soon, 10)).toBe(0);
    expect(await identity.oneTimeTokens.deleteExpired(new Date(soon.getTime() + DAY_MS), 10)).toBe(1);
  });
});
