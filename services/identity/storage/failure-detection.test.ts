import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { authenticate } from '../domain/authenticate.ts';
import { changePassword } from '../domain/credentials/change-password.ts';
import { lockoutPolicies } from '../domain/credentials/lockout-policy.ts';
import { testPolicy } from '../domain/detection/testing-policy.ts';
import { InvalidCredentials, RateLimited } from '../domain/errors.ts';
import type { IpAddress } from '../domain/ip-address.ts';
import type { User } from '../domain/user.ts';
import { accountIn, freshAccount } from './testing-credentials.ts';
import { DEVICE, email, PASSWORD, type TestIdentity } from './testing-identity.ts';
import type { TestMailbox } from './testing-mailbox.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

const MINUTE_MS = 60_000;

let db: TestOrm;
let identity: TestIdentity;
let mailbox: TestMailbox;
let ada: User;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  ({ identity, mailbox, ada } = await freshAccount(db));
  // So that counts of failures are not what locks.
  Object.assign(identity, {
    lockout: lockoutPolicies({
      accountThreshold: 100,
      networkThreshold: 10_000,
      baseSeconds: 60,
      maxSeconds: 3600,
    }),
  });
});

const events = (type: string) =>
  db.rows('select * from user_service.security_events where event_type = $1 order by id', [type]);
const throttle = async () => (await db.rows('select * from user_service.sign_in_throttles'))[0];

/** A sign-in with a wrong password, and what came of it. */
async function fail(address: string, from: IpAddress | null = DEVICE.ipAddress): Promise<unknown> {
  const device = { ...DEVICE, ipAddress: from };
  return await authenticate(identity, { email: email(address), password: 'wrong', device }).catch(
    (error: unknown) => error,
  );
}
/** So many of them, each to another account that nobody has. */
async function failAtNobodys(accounts: number, offset = 0): Promise<void> {
  for (let count = 0; count < accounts; count += 1) await fail(`nobody${offset + count}@example.com`);
}

describe('credential stuffing', () => {
  const answer = (credential_stuffing: 'off' | 'record' | 'lock') =>
    Object.assign(identity, { detectionPolicy: testPolicy({ credential_stuffing }) });

  test('is failures at 20 accounts from one network within ten minutes, whoever they belong to', async () => {
    await failAtNobodys(19);
    expect(await events('credential_stuffing')).toEqual([]);
    await fail('ada@example.com');
    expect(await events('credential_stuffing')).toMatchObject([
      {
        severity: 'high',
        user_id: null,
        session_id: null,
        ip_address: '2001:db8::7',
        device_id: null,
        device_fingerprint: null,
        user_agent: null,
        metadata: { accounts: 20, window_seconds: 600, response: 'lock' },
      },
    ]);
    expect(await events('network_locked')).toMatchObject([
      { user_id: null, metadata: { reason: 'credential_stuffing', until: expect.any(String) } },
    ]);
  });

  test('locks the network for an hour, before anything is hashed; others go on', async () => {
    await failAtNobodys(20);
    const refusal = await fail('ada@example.com');
    expect(refusal).toBeInstanceOf(RateLimited);
    expect((refusal as RateLimited).retryAfterMs).toBeGreaterThan(59 * MINUTE_MS);
    expect(await events('login_failed')).toHaveLength(20);
    expect(await fail('ada@example.com', '2001:db8:0:1::7' as IpAddress)).toEqual(new InvalidCredentials());
    identity.ahead += 60 * MINUTE_MS + 1000;
    expect(await fail('ada@example.com')).toEqual(new InvalidCredentials());
  });

  test('that goes on after the lock is found again', async () => {
    Object.assign(identity, { detectionPolicy: { ...testPolicy(), lockMs: MINUTE_MS } });
    await failAtNobodys(20);
    identity.ahead += MINUTE_MS + 1000;
    await failAtNobodys(19, 100);
    expect(await events('credential_stuffing')).toHaveLength(1);
    await failAtNobodys(1, 200);
    expect(await events('credential_stuffing')).toHaveLength(2);
  });

  test('is no number of failures at a few accounts', async () => {
    for (let times = 0; times < 3; times += 1) await failAtNobodys(19);
    expect(await events('credential_stuffing')).toEqual([]);
    expect((await throttle())?.['recent_accounts']).toHaveLength(19);
  });

  test('is no number of accounts over a longer time', async () => {
    await failAtNobodys(19);
    identity.ahead += 10 * MINUTE_MS;
    await failAtNobodys(19, 19);
    expect(await events('credential_stuffing')).toEqual([]);
  });

  test('is found once a window where it is recorded alone', async () => {
    answer('record');
    await failAtNobodys(40);
    await failAtNobodys(40);
    expect(await events('credential_stuffing')).toMatchObject([{ metadata: { response: 'record' } }]);
    expect(await events('network_locked')).toEqual([]);
    expect((await throttle())?.['recent_accounts']).toHaveLength(21);
    identity.ahead += 10 * MINUTE_MS;
    await failAtNobodys(20);
    expect(await events('credential_stuffing')).toHaveLength(2);
  });

  test.each(['record', 'lock'] as const)('of four at once is found once: %s', async (response) => {
    answer(response);
    const client = async (number: number) => {
      for (let count = 0; count < 10; count += 1) await fail(`victim${number}.${count}@example.com`);
    };
    await Promise.all([0, 1, 2, 3].map(client));
    expect(await events('credential_stuffing')).toHaveLength(1);
    expect(await events('network_locked')).toHaveLength(response === 'lock' ? 1 : 0);
    expect((await fail('ada@example.com')) instanceof RateLimited).toBe(response === 'lock');
  });

  test('is not looked for where it is off, nor among callers whose address nobody tells', async () => {
    for (let count = 0; count < 25; count += 1) await fail(`nobody${count}@example.com`, null);
    answer('off');
    await failAtNobodys(25);
    expect(await events('credential_stuffing')).toEqual([]);
    expect(await db.rows(`select from user_service.sign_in_throttles where recent_accounts <> '{}'`)).toEqual(
      [],
    );
  });

  test('keeps keyed tags of the accounts that were tried, not their addresses', async () => {
    answer('record');
    await failAtNobodys(20);
    const tried = Array.from({ length: 20 }, (_, count) => `nobody${count}@example.com`);
    const tags = tried.map((account) => String(identity.accountTags.of(account)));
    expect((await throttle())?.['recent_accounts']).toEqual(tags);
    const kept = JSON.stringify([await events('credential_stuffing'), await throttle()]);
    expect(kept).not.toMatch(/nobody|example/);
  });

  test('takes a known account for one, by its address or by its id', async () => {
    await fail('ada@example.com');
    const change = { userId: ada.id, currentPassword: 'wrong', newPassword: PASSWORD, sessionId: null };
    await expect(changePassword(identity, { ...change, device: DEVICE }, null)).rejects.toEqual(
      new InvalidCredentials(),
    );
    expect((await throttle())?.['recent_accounts']).toEqual([String(identity.accountTags.of(ada.id))]);
  });

  test('leaves what else the network is counted for as it was', async () => {
    const networkThreshold = 3;
    Object.assign(identity, {
      lockout: lockoutPolicies({
        accountThreshold: 100,
        networkThreshold,
        baseSeconds: 60,
        maxSeconds: 3600,
      }),
      detectionPolicy: { ...testPolicy(), stuffingAccounts: 3 },
    });
    await failAtNobodys(3);
    // Both at once: one lock, the longer one.
    expect(await events('network_locked')).toHaveLength(1);
    expect(await throttle()).toMatchObject({ failures: 3 });
    const until = (await throttle())?.['locked_until'] as Date;
    expect(until.getTime() - identity.now().getTime()).toBeGreaterThan(59 * MINUTE_MS);
  });
});

describe('a burst of failures', () => {
  const answer = (failure_burst: 'off' | 'record' | 'notify' | 'lock') =>
    Object.assign(identity, { detectionPolicy: testPolicy({ failure_burst }) });
  const failTimes = async (times: number) => {
    for (let count = 0; count < times; count += 1) await fail('ada@example.com');
  };

  test('is ten failed sign-ins of one account within ten minutes', async () => {
    await failTimes(9);
    expect(await events('failure_burst')).toEqual([]);
    await failTimes(1);
    expect(await events('failure_burst')).toMatchObject([
      {
        severity: 'medium',
        user_id: ada.id,
        ip_address: '2001:db8::7',
        metadata: { failures: 10, window_seconds: 600, response: 'notify' },
      },
    ]);
    expect(await mailbox.receive()).toMatchObject([
      { to: 'Ada@example.com', message: { template: 'security_alert', finding: 'failure_burst' } },
    ]);
  });

  test('is found once a window, and told by one mail a day', async () => {
    await failTimes(30);
    expect(await events('failure_burst')).toHaveLength(1);
    identity.ahead += 10 * MINUTE_MS + 1000;
    await failTimes(9);
    expect(await events('failure_burst')).toHaveLength(1);
    await failTimes(1);
    expect(await events('failure_burst')).toHaveLength(2);
    expect(await mailbox.receive()).toHaveLength(1);
    identity.ahead += 24 * 60 * MINUTE_MS;
    await failTimes(10);
    expect(await events('failure_burst')).toHaveLength(3);
    expect(await mailbox.receive()).toHaveLength(1);
  });

  test('counts failures while the account is locked, which count for no lock', async () => {
    await db.rows(`update user_service.users set locked_until = now() + interval '1 h'`);
    await failTimes(10);
    expect(await events('failure_burst')).toHaveLength(1);
    expect(await accountIn(db)).toMatchObject({ failed_login_attempts: 0 });
  });

  test('of 30 at one moment is found once', async () => {
    await failTimes(5);
    await Promise.all(Array.from({ length: 30 }, () => fail('ada@example.com')));
    await failTimes(1);
    expect(await events('failure_burst')).toHaveLength(1);
    expect(await mailbox.receive()).toHaveLength(1);
  });

  test('of 30 at one moment at a locked account, too', async () => {
    await db.rows(`update user_service.users set locked_until = now() + interval '1 h'`);
    await failTimes(5);
    await Promise.all(Array.from({ length: 30 }, () => fail('ada@example.com')));
    await failTimes(1);
    expect(await events('failure_burst')).toHaveLength(1);
  });

  test('record: no mail', async () => {
    answer('record');
    await failTimes(10);
    expect(await events('failure_burst')).toMatchObject([{ metadata: { response: 'record' } }]);
    expect(await mailbox.receive()).toEqual([]);
  });

  test('lock: the account is locked for an hour, and its owner told', async () => {
    answer('lock');
    await failTimes(10);
    expect(await events('account_locked')).toMatchObject([
      { user_id: ada.id, metadata: { reason: 'failure_burst' } },
    ]);
    const until = (await accountIn(db))?.['locked_until'] as Date;
    expect(until.getTime() - identity.now().getTime()).toBeGreaterThan(59 * MINUTE_MS);
    await expect(identity.signIn('ada@example.com')).rejects.toEqual(new InvalidCredentials());
    expect(await mailbox.receive()).toMatchObject([{ message: { finding: 'failure_burst' } }]);
    identity.ahead += 60 * MINUTE_MS + 1000;
    await identity.signIn('ada@example.com');
  });

  test('off: nothing', async () => {
    answer('off');
    await failTimes(12);
    expect(await events('failure_burst')).toEqual([]);
  });

  test('is none of an account that nobody has', async () => {
    for (let times = 0; times < 12; times += 1) await fail('eve@example.com');
    expect(await events('failure_burst')).toEqual([]);
    expect(await mailbox.receive()).toEqual([]);
  });
});
