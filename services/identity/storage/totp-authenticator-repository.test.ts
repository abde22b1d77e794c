import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { base32 } from '../domain/base32.ts';
import { SecretUnreadable } from '../domain/errors.ts';
import { verifyTotp } from '../domain/second-factors/verify-totp.ts';
import type { User } from '../domain/user.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { type TestApp, TestSecondFactors } from './testing-second-factors.ts';

let db: TestOrm;
let factors: TestSecondFactors;
let app: TestApp;
beforeAll(async () => {
  db = await openTestOrm({ connectTimeoutMs: 30_000 });
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  factors = await TestSecondFactors.open(db);
  ({ app } = await factors.enroll(await factors.signIn()));
  // The code that confirmed it is used up.
  factors.passSteps();
});

const stored = () => db.rows('select * from user_service.totp_authenticators order by created_at, id');

describe('a code of the authenticator app', () => {
  test('is good once', async () => {
    const code = app.code();
    expect(await factors.verify(code)).toBe(true);
    expect(await factors.verify(code)).toBe(false);
  });

  test('may be one step early or late, and no more', async () => {
    expect(await factors.verify(app.code(2))).toBe(false);
    expect(await factors.verify(app.code(-2))).toBe(false);
    expect(await factors.verify(app.code(-1))).toBe(true);
    expect(await factors.verify(app.code(1))).toBe(true);
  });

  test('is of no use once a later one was used', async () => {
    expect(await factors.verify(app.code(1))).toBe(true);
    expect(await factors.verify(app.code(0))).toBe(false);
    expect(await factors.verify(app.code(-1))).toBe(false);
  });

  test('is of no use for the step that confirmed the app', async () => {
    const again = await TestSecondFactors.open(db);
    const { app: fresh } = await again.enroll(await again.signIn());
    expect(await again.verify(fresh.code())).toBe(false);
    expect(await again.verify(fresh.code(1))).toBe(true);
  });

  test.each(['', '12345', '1234567', 'abcdef', '１２３４５６'])('is refused as %j', async (code) => {
    expect(await factors.verify(code)).toBe(false);
  });

  test('is good again where the transaction that used it failed', async () => {
    const code = app.code();
    const { unitOfWork, now } = factors.identity;
    const failed = unitOfWork.transactional(async (repositories) => {
      expect(await verifyTotp(repositories, { userId: factors.ada.id, code, at: now() })).toBe(true);
      throw new Error('something else failed');
    });
    await expect(failed).rejects.toThrow('something else failed');
    expect(await factors.verify(code)).toBe(true);
  });

  test('of 1,000 uses at once, one succeeds', async () => {
    const code = app.code();
    const results = await Promise.all(Array.from({ length: 1000 }, () => factors.verify(code)));
    expect(results.filter((accepted) => accepted)).toHaveLength(1);
  });

  test('of 300 uses of three neighbouring ones at once, each is good once at most and the last step is kept', async () => {
    const codes = [app.code(-1), app.code(0), app.code(1)];
    const results = await Promise.all(
      Array.from({ length: 300 }, (_, index) => factors.verify(codes[index % 3] ?? '')),
    );
    for (const offset of [0, 1, 2]) {
      const accepted = results.filter((result, index) => result && index % 3 === offset);
      expect(accepted.length).toBeLessThanOrEqual(1);
    }
    for (const code of codes) expect(await factors.verify(code)).toBe(false);
  });
});

describe('the secret', () => {
  test('stands nowhere in plain', async () => {
    const dump = JSON.stringify([
      await db.rows('select t::text from user_service.totp_authenticators t'),
      await db.rows('select e::text from user_service.security_events e'),
    ]);
    for (const form of [app.secret.toString('hex'), app.secret.toString('base64'), base32(app.secret)]) {
      expect(dump.toLowerCase()).not.toContain(form.toLowerCase());
    }
    expect(await stored()).toMatchObject([{ secret_key_id: 'k1' }]);
  });

  describe('swapped with another user’s', () => {
    let eve: User;
    let eves: TestApp;
    beforeEach(async () => {
      eve = await factors.identity.register('Eve@example.com');
      ({ app: eves } = await factors.enroll(await factors.signIn(['pwd'], eve)));
      factors.passSteps();
      await db.rows(
        `update user_service.totp_authenticators t set secret = o.secret, secret_key_id = o.secret_key_id
         from user_service.totp_authenticators o where o.user_id <> t.user_id`,
      );
    });

    test('opens no more, so that no code is accepted: neither one’s own nor the other’s', async () => {
      for (const userId of [factors.ada.id, eve.id]) {
        for (const code of [app.code(), eves.code(), '000000']) {
          const refused = factors.verify(code, userId);
          await expect(refused).rejects.toBeInstanceOf(SecretUnreadable);
        }
      }
    });

    test('can be replaced by its owner', async () => {
      const { app: fresh } = await factors.enroll(await factors.signIn(['pwd', 'otp']));
      expect(await factors.verify(fresh.code(1))).toBe(true);
      await expect(factors.verify(eves.code(), eve.id)).rejects.toBeInstanceOf(SecretUnreadable);
    });
  });

  test.each([
    ['a changed byte', 'secret = set_byte(secret, 30, get_byte(secret, 30) # 1)'],
    ['another key named', `secret_key_id = 'k2'`],
    ['nothing left', `secret = ''`],
  ])('with %s opens no more', async (_case, change) => {
    await db.rows(`update user_service.totp_authenticators set ${change}`);
    await expect(factors.verify(app.code())).rejects.toBeInstanceOf(SecretUnreadable);
  });
});

describe('another app that is set up', () => {
  const strong = () => factors.signIn(['pwd', 'otp']);

  test('changes nothing about the one in force until it is confirmed', async () => {
    const signedIn = await strong();
    const other = await factors.beginEnrollment(signedIn);
    expect(await stored()).toHaveLength(2);
    expect(await factors.verify(other.code())).toBe(false);
    expect(await factors.verify(app.code())).toBe(true);
  });

  test('takes its place once it is confirmed', async () => {
    const { app: other, recoveryCodes } = await factors.enroll(await strong());
    expect(recoveryCodes).toEqual([]);
    expect(await stored()).toHaveLength(1);
    factors.passSteps();
    expect(await factors.verify(app.code())).toBe(false);
    expect(await factors.verify(other.code())).toBe(true);
  });

  test('replaces one that waits', async () => {
    const signedIn = await strong();
    const first = await factors.beginEnrollment(signedIn);
    const { unitOfWork, now } = factors.identity;
    const pending = await unitOfWork.transactional(({ totpAuthenticators }) =>
      totpAuthenticators.findPending(factors.ada.id, now()),
    );
    expect(pending?.secret).toEqual(first.secret);
    await factors.beginEnrollment(signedIn);
    const confirmed = await unitOfWork.transactional(({ totpAuthenticators }) =>
      totpAuthenticators.confirm({
        id: pending?.id ?? factors.ada.id,
        userId: factors.ada.id,
        step: 1,
        at: now(),
      }),
    );
    expect(confirmed).toBeNull();
    // The one in force was not touched by it.
    expect(await factors.verify(app.code())).toBe(true);
  });

  test('waits for ten minutes', async () => {
    await factors.beginEnrollment(await strong());
    const { unitOfWork, now } = factors.identity;
    const pending = (later: number) =>
      unitOfWork.transactional(({ totpAuthenticators }) =>
        totpAuthenticators.findPending(factors.ada.id, new Date(now().getTime() + later)),
      );
    expect(await pending(599_000)).not.toBeNull();
    expect(await pending(600_001)).toBeNull();
  });
});
