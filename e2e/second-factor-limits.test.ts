import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ErrorInfoSchema, RetryInfoSchema } from '../gen/google/rpc/error_details_pb.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { failure, reasonOf } from '../testing/failure.ts';
import { testRedisUrl } from '../testing/redis.ts';
import { startTestIdentity, startTestRateLimit } from '../testing/services.ts';
import { FactorUser, totp } from './factor-user.ts';
import { type IdentityRpcs, identityRpcs } from './identity-rpcs.ts';

let database: TestDatabase;
const resources = new AsyncDisposableStack();
beforeAll(async () => {
  database = resources.use(await createTestDatabase());
});
afterAll(() => resources.disposeAsync());

async function start(env: Readonly<Record<string, string>>): Promise<IdentityRpcs> {
  const service = resources.use(await startTestIdentity({ DATABASE_URL: database.url, ...env }));
  return identityRpcs(service.transport('gRPC'));
}

/** A user with an authenticator app. */
async function enrolled(rpcs: IdentityRpcs): Promise<FactorUser> {
  const user = await FactorUser.register(rpcs, database.url);
  await user.enrol((await user.authenticate()).accessToken);
  return user;
}

describe('with the rules of the rate limiter as they come', () => {
  let rpcs: IdentityRpcs;
  beforeAll(async () => {
    const limiter = resources.use(await startTestRateLimit({ REDIS_URL: testRedisUrl() }));
    rpcs = await start({
      ...{ RATELIMIT_ADDRESS: limiter.grpcAddress, RATELIMIT_TIMEOUT_MS: '2000' },
      ACCOUNT_LOCKOUT_THRESHOLD: '100',
    });
  });

  async function expectLimited(call: Promise<unknown>): Promise<void> {
    const error = await failure(call);
    expect([error.code, reasonOf(error)]).toEqual([Code.ResourceExhausted, 'RATE_LIMITED']);
    const seconds = Number(error.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds);
    expect(seconds).toBeGreaterThan(30);
    expect(seconds).toBeLessThanOrEqual(60);
  }

  it('an account has five codes a minute, however many challenges; no other account is held up', async () => {
    const user = await enrolled(rpcs);
    const first = await user.challenged();
    const second = await user.challenged();
    // The code that confirmed the app was the first one.
    for (const challenge of [first, first, second, second]) {
      const wrong = await failure(user.complete(challenge, totp(user.wrongCode())));
      expect(reasonOf(wrong)).toBe('SECOND_FACTOR_REFUSED');
    }
    for (const challenge of [first, second])
      await expectLimited(user.complete(challenge, totp(user.code(1))));
    const other = await enrolled(rpcs);
    await other.signIn();
  });

  it('a challenge is asked about five times a minute, also one that is nobody’s', async () => {
    const user = await FactorUser.register(rpcs, database.url);
    const guess = () => user.complete({ token: 'x'.repeat(43) }, totp('123456'));
    for (let time = 0; time < 5; time += 1)
      expect(reasonOf(await failure(guess()))).toBe('INVALID_CHALLENGE');
    await expectLimited(guess());
  });
});

describe('with a lock of the account after 4 wrong proofs, for 2 seconds', () => {
  const THRESHOLD = 4;
  let rpcs: IdentityRpcs;
  beforeAll(async () => {
    rpcs = await start({
      ...{
        RATE_LIMIT_ENABLED: 'false',
        ACCOUNT_LOCKOUT_THRESHOLD: `${THRESHOLD}`,
        LOCKOUT_BASE_SECONDS: '2',
      },
    });
  });

  /** Everything that a caller is told of an error. */
  async function toldBy(call: Promise<unknown>): Promise<string> {
    const { code, rawMessage, details } = await failure(call);
    return JSON.stringify({ code, rawMessage, details });
  }
  const lockedForMs = async (id: string) => {
    const until = (await rpcs.users.getUser({ id })).user?.lockExpireTime;
    return until === undefined ? 0 : timestampMs(until) - Date.now();
  };

  it('wrong codes lock it; the right password is refused then as a wrong one, to the byte, until the lock ends', async () => {
    const user = await enrolled(rpcs);
    const wrongPassword = await toldBy(
      rpcs.auth.authenticate({ email: user.email, password: 'not it', device: user.device }),
    );
    const [one, two] = [await user.challenged(), await user.challenged()];
    const left: (string | undefined)[] = [];
    for (const challenge of [one, two, one]) {
      const refused = await failure(user.complete(challenge, totp(user.wrongCode())));
      left.push(refused.findDetails(ErrorInfoSchema)[0]?.metadata['attempts_left']);
    }
    // The challenge counts its own: nothing tells how near the lock is.
    expect(left).toEqual(['4', '4', '3']);
    expect(await lockedForMs(user.id)).toBeGreaterThan(0);
    expect(await toldBy(user.authenticate())).toBe(wrongPassword);
    const right = await failure(user.complete(two, totp(user.code(1))));
    expect(reasonOf(right)).toBe('INVALID_CHALLENGE');

    await expect.poll(() => lockedForMs(user.id), { timeout: 10_000 }).toBe(0);
    await user.complete(two, totp(await user.freshCode()));
    const { events } = await rpcs.events.listSecurityEvents({
      filter: { userId: user.id, types: ['login_failed', 'account_locked'] },
    });
    expect(events.map(({ type, metadata }) => [type, metadata?.['method'], metadata?.['reason']])).toEqual(
      expect.arrayContaining([
        ['login_failed', 'password', 'wrong_password'],
        ['login_failed', 'totp', 'second_factor_wrong'],
        ['login_failed', 'password', 'account_locked'],
        ['account_locked', undefined, undefined],
      ]),
    );
  });

  it('a right password does not make the wrong codes be forgotten, a completed sign-in does', async () => {
    const user = await enrolled(rpcs);
    const guess = async () => await failure(user.complete(await user.challenged(), totp(user.wrongCode())));
    for (let time = 1; time < THRESHOLD; time += 1) await guess();
    await user.signIn();
    for (let time = 0; time < THRESHOLD; time += 1) await guess();
    expect(await lockedForMs(user.id)).toBeGreaterThan(0);
  });
});
