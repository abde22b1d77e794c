import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { authenticate } from '../domain/authenticate.ts';
import { lockoutPolicies } from '../domain/credentials/lockout-policy.ts';
import { InvalidCredentials, RateLimited } from '../domain/errors.ts';
import type { IpAddress } from '../domain/ip-address.ts';
import { DEVICE, email, PASSWORD, TestIdentity } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let db: TestOrm;
let identity: TestIdentity;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows(
    'truncate user_service.users, user_service.signing_keys, user_service.sign_in_throttles cascade',
  );
  identity = new TestIdentity(db);
  await identity.register('ada@example.com');
  await db.rows('truncate user_service.security_events, user_service.outgoing_mails');
});

const account = async () => {
  const [row] = await db.rows('select failed_login_attempts, locked_until from user_service.users');
  const until = row?.['locked_until'] as Date | null;
  const lockedForMs = until === null ? 0 : until.getTime() - identity.now().getTime();
  return { failures: row?.['failed_login_attempts'], lockedForMs };
};
const events = async (type: string) =>
  await db.rows('select * from user_service.security_events where event_type = $1 order by id', [type]);
const mails = () => db.rows('select * from user_service.outgoing_mails');

async function failed(address = 'ada@example.com', from: IpAddress | null = DEVICE.ipAddress): Promise<void> {
  const device = { ...DEVICE, ipAddress: from };
  await expect(authenticate(identity, { email: email(address), password: 'wrong', device })).rejects.toEqual(
    new InvalidCredentials(),
  );
}
async function failedTimes(times: number): Promise<void> {
  for (let count = 0; count < times; count += 1) await failed();
}
const about = (ms: number) => expect.toSatisfy((found: number) => Math.abs(found - ms) < 5000);

describe('an account', () => {
  test('is locked for a minute by the fifth wrong password in a row', async () => {
    await failedTimes(4);
    expect(await account()).toEqual({ failures: 4, lockedForMs: 0 });
    await failed();
    expect(await account()).toEqual({ failures: 5, lockedForMs: about(MINUTE_MS) });
    expect(await events('account_locked')).toMatchObject([
      { severity: 'medium', metadata: { failures: 5, until: expect.any(String) } },
    ]);
    await expect(identity.signIn('ada@example.com')).rejects.toEqual(new InvalidCredentials());
    identity.ahead += MINUTE_MS + 1000;
    await identity.signIn('ada@example.com');
  });

  test('is locked twice as long by each further one, up to an hour', async () => {
    await failedTimes(5);
    const locks: number[] = [];
    for (let lock = 0; lock < 9; lock += 1) {
      const { lockedForMs } = await account();
      locks.push(Math.round(lockedForMs / MINUTE_MS));
      identity.ahead += lockedForMs + 1000;
      await failed();
    }
    expect(locks).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
    expect(await events('account_locked')).toHaveLength(10);
  });

  test('is not held by attempts during a lock: they are refused and not counted', async () => {
    await failedTimes(5);
    const before = await account();
    await failedTimes(3);
    await expect(identity.signIn('ada@example.com')).rejects.toEqual(new InvalidCredentials());
    expect(await account()).toEqual({ ...before, lockedForMs: about(before.lockedForMs) });
    expect(
      (await events('login_failed')).map(({ metadata }) => (metadata as { reason: string }).reason),
    ).toEqual([...Array<string>(8).fill('wrong_password'), 'account_locked']);
  });

  test('counts anew after a success, and after 24 hours without failures', async () => {
    await failedTimes(4);
    await identity.signIn('ada@example.com');
    expect(await account()).toEqual({ failures: 0, lockedForMs: 0 });
    await failedTimes(4);
    identity.ahead += 24 * HOUR_MS - 10_000;
    await failed();
    expect(await account()).toEqual({ failures: 5, lockedForMs: about(MINUTE_MS) });
    identity.ahead += 24 * HOUR_MS + 2 * MINUTE_MS;
    await failed();
    expect((await account()).failures).toBe(1);
  });

  test('of 20 wrong passwords at one moment five count, and lock it once', async () => {
    await Promise.all(Array.from({ length: 20 }, () => failed()));
    expect(await account()).toEqual({ failures: 5, lockedForMs: about(MINUTE_MS) });
    expect(await events('login_failed')).toHaveLength(20);
    expect(await events('account_locked')).toHaveLength(1);
  });

  test('has its owner told by one mail, however often it is locked anew', async () => {
    await failedTimes(5);
    expect(await mails()).toHaveLength(1);
    identity.ahead += MINUTE_MS + 1000;
    await failed();
    expect(await events('account_locked')).toHaveLength(2);
    expect(await mails()).toHaveLength(1);
  });

  test('that nobody has is not counted, and no event tells of a lock', async () => {
    for (let times = 0; times < 6; times += 1) await failed('eve@example.com');
    expect(await account()).toEqual({ failures: 0, lockedForMs: 0 });
    expect(await events('account_locked')).toEqual([]);
    expect(await mails()).toEqual([]);
  });
});

describe('a network', () => {
  /** So that accounts are not what locks. */
  const networkThreshold = 4;
  let guesses: number;
  const guess = () => {
    guesses += 1;
    return failed(`nobody${guesses}@example.com`);
  };
  beforeEach(() => {
    guesses = 0;
    Object.assign(identity, {
      lockout: lockoutPolicies({ accountThreshold: 5, networkThreshold, baseSeconds: 60, maxSeconds: 3600 }),
    });
  });
  const throttles = () => db.rows('select * from user_service.sign_in_throttles');
  const refused = async () => {
    const error: unknown = await identity.signIn('ada@example.com').catch((refusal: unknown) => refusal);
    expect(error).toBeInstanceOf(RateLimited);
    return (error as RateLimited).retryAfterMs;
  };

  test('is refused whatever the account, before anything is hashed or counted', async () => {
    for (let times = 0; times < networkThreshold; times += 1) await guess();
    expect(await throttles()).toMatchObject([{ network: '2001:db8:0:0::/64', failures: 4 }]);
    expect(await events('network_locked')).toMatchObject([
      { user_id: null, severity: 'medium', metadata: { failures: 4 } },
    ]);
    identity.limiter.asked.length = 0;
    const check = identity.hasher.check;
    identity.hasher.check = () => Promise.reject(new Error('hashed'));
    expect(await refused()).toEqual(about(MINUTE_MS));
    identity.hasher.check = check;
    expect(identity.limiter.asked).toHaveLength(1);
    expect(await events('login_failed')).toHaveLength(4);

    const elsewhere = { ...DEVICE, ipAddress: '2001:db8:0:1::7' as IpAddress };
    await authenticate(identity, { email: email('ada@example.com'), password: PASSWORD, device: elsewhere });
    identity.ahead += MINUTE_MS + 1000;
    await identity.signIn('ada@example.com');
  });

  test('is refused twice as long after each further failure; a success ends nothing', async () => {
    for (let times = 0; times < networkThreshold; times += 1) await guess();
    const locks: number[] = [];
    for (let lock = 0; lock < 8; lock += 1) {
      const retryAfterMs = await refused();
      locks.push(Math.round(retryAfterMs / MINUTE_MS));
      identity.ahead += retryAfterMs + 1000;
      await identity.signIn('ada@example.com');
      await guess();
    }
    expect(locks).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
  });

  test('is forgotten after an hour without failures or lock', async () => {
    for (let times = 0; times < networkThreshold; times += 1) await guess();
    identity.ahead += MINUTE_MS + HOUR_MS + 1000;
    await guess();
    expect(await throttles()).toMatchObject([{ failures: 1, locked_until: null }]);
  });

  test('with fewer failures an hour than the threshold is never locked out', async () => {
    for (let times = 0; times < 40; times += 1) {
      await guess();
      identity.ahead += 16 * MINUTE_MS;
    }
    expect(await events('network_locked')).toEqual([]);
  });

  test('that fails at uneven times counts by the rate too: nothing that drains is lost', async () => {
    // Three an hour; between two of a pair less drains than one failure.
    for (let times = 0; times < 40; times += 1) {
      await guess();
      identity.ahead += (times % 2 === 0 ? 14 : 26) * MINUTE_MS;
    }
    expect(await events('network_locked')).toEqual([]);
  });

  test('that is unknown is one network', async () => {
    for (let times = 0; times < networkThreshold; times += 1) await failed('eve@example.com', null);
    const device = { ...DEVICE, ipAddress: null };
    await expect(
      authenticate(identity, { email: email('ada@example.com'), password: PASSWORD, device }),
    ).rejects.toBeInstanceOf(RateLimited);
  });

  test('may be locked out by its first failure', async () => {
    Object.assign(identity, {
      lockout: lockoutPolicies({ accountThreshold: 1, networkThreshold: 1, baseSeconds: 60, maxSeconds: 60 }),
    });
    await failed();
    expect(await account()).toEqual({ failures: 1, lockedForMs: about(MINUTE_MS) });
    expect(await refused()).toEqual(about(MINUTE_MS));
  });

  test('counts failures at one moment each, and locks once', async () => {
    await Promise.allSettled(Array.from({ length: 20 }, guess));
    expect(await throttles()).toMatchObject([{ failures: networkThreshold }]);
    expect(await events('network_locked')).toHaveLength(1);
  });

  test('is forgotten by the maintenance when it is of no use any more', async () => {
    await guess();
    expect(await identity.networkLocks.deleteIdle(new Date(identity.now().getTime() - HOUR_MS), 10)).toBe(0);
    expect(await identity.networkLocks.deleteIdle(new Date(identity.now().getTime() + 1000), 10)).toBe(1);
    expect(await throttles()).toEqual([]);
  });
});
