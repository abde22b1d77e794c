import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConnectError } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Challenge } from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { reasonOf } from '../testing/failure.ts';
import { testRedisUrl } from '../testing/redis.ts';
import { startTestIdentity, startTestRateLimit } from '../testing/services.ts';
import { FactorUser, type Proof, recovery, totp } from './factor-user.ts';
import { type IdentityRpcs, identityRpcs } from './identity-rpcs.ts';

const CALLS = 400;
const ATTEMPTS_PER_CHALLENGE = 5;
/** Half of the calls are looked at then; the others find their challenge used up. */
const CHALLENGES = 40;
/** High enough for all calls of a race: it is the store that is to decide. */
const RULES = ['auth_login', 'auth_register', 'auth_mfa', 'api_default']
  .map((name) => `  - { name: ${name}, limits: [{ limit: 100000, window: 1m, algorithm: FIXED_WINDOW }] }`)
  .join('\n');
/** Wrong proofs lock an account after 100 at most, which would keep the others of a race from being looked at. */
const NO_LOCK = `
  create function user_service.no_lock() returns trigger language plpgsql as
    'begin new.locked_until := null; new.failed_login_attempts := 0; return new; end';
  create trigger no_lock before update on user_service.users for each row execute function user_service.no_lock()`;

let database: TestDatabase;
let replicas: readonly IdentityRpcs[];
const resources = new AsyncDisposableStack();
beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'e2e-races-'));
  resources.defer(() => rmSync(directory, { recursive: true }));
  const rulesFile = join(directory, 'rules.yaml');
  writeFileSync(rulesFile, `rules:\n${RULES}\n`);
  database = resources.use(await createTestDatabase());
  await withTestClient(database.url, (client) => client.query(NO_LOCK));
  const limiter = resources.use(
    await startTestRateLimit({ REDIS_URL: testRedisUrl(), RATELIMIT_RULES_FILE: rulesFile }),
  );
  const env = {
    ...{ DATABASE_URL: database.url, RATELIMIT_ADDRESS: limiter.grpcAddress, RATELIMIT_TIMEOUT_MS: '10000' },
    // All calls of a race wait for one user's row.
    ...{ DATABASE_CONNECT_TIMEOUT_MS: '60000', DATABASE_LOCK_TIMEOUT_MS: '60000' },
    DATABASE_STATEMENT_TIMEOUT_MS: '60000',
    ...{ NETWORK_LOCKOUT_THRESHOLD: '1000000', HASHING_QUEUE: '1000', SESSIONS_PER_USER: '100' },
  };
  const started = [await startTestIdentity(env), await startTestIdentity(env)];
  for (const each of started) resources.use(each);
  replicas = started.map((each) => identityRpcs(each.transport('gRPC')));
});
afterAll(() => resources.disposeAsync());

async function rows<T extends object>(text: string, ...values: unknown[]): Promise<T[]> {
  return await withTestClient(database.url, async (client) => (await client.query<T>(text, values)).rows);
}

async function enrolled(): Promise<{ readonly user: FactorUser; readonly codes: readonly string[] }> {
  const user = await FactorUser.register(replicas[0] as IdentityRpcs, database.url);
  return { user, codes: await user.enrol((await user.authenticate()).accessToken) };
}

/** Shows one proof hundreds of times at once at two replicas, the challenges in turn. @returns how often each outcome came. */
async function race({ device }: FactorUser, challenges: readonly Challenge[], proof: Proof) {
  const outcomes: Record<string, number> = {};
  const calls = Array.from({ length: CALLS }, async (_, index) => {
    const { auth } = replicas[index % replicas.length] as IdentityRpcs;
    const challengeToken = challenges[index % challenges.length]?.token ?? '';
    const outcome = await auth
      .completeChallenge({ challengeToken, proof, device }, { timeoutMs: 60_000 })
      .then(
        () => 'signed in',
        (error) => reasonOf(ConnectError.from(error)) ?? String(error),
      );
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  });
  await Promise.all(calls);
  return outcomes;
}

/** What the store has of it: proofs that were looked at, refusals that were recorded, sessions with a second factor. */
async function recorded({ id }: FactorUser) {
  const [counts] = await rows(
    `select (select sum(attempts)::int from user_service.auth_challenges where user_id = $1) as attempts,
       (select count(*)::int from user_service.auth_challenges where user_id = $1 and used_at is not null) as used,
       (select count(*)::int from user_service.security_events
        where user_id = $1 and event_type = 'login_failed') as refusals,
       (select count(*)::int from user_service.sessions_history where user_id = $1 and 'mfa' = any(amr)) as sessions`,
    id,
  );
  return counts;
}

it.each(['TOTP code', 'recovery code'])(
  'one %s that 400 calls show at once in 40 challenges opens one session',
  async (kind) => {
    const { user, codes } = await enrolled();
    const challenges: Challenge[] = [];
    while (challenges.length < CHALLENGES) {
      challenges.push(...(await Promise.all(Array.from({ length: 20 }, () => user.challenged()))));
    }
    const proof = kind === 'TOTP code' ? totp(await user.freshCode()) : recovery(codes[0] ?? '');
    const outcomes = await race(user, challenges, proof);
    expect(outcomes).toMatchObject({ 'signed in': 1 });
    const { INVALID_CHALLENGE: late = 0, SECOND_FACTOR_REFUSED: refused = 0 } = outcomes;
    expect(1 + refused + late).toBe(CALLS);
    // Of the challenge that opens the session some of the five come too late.
    expect(refused).toBeGreaterThanOrEqual((CHALLENGES - 1) * ATTEMPTS_PER_CHALLENGE);
    expect(refused).toBeLessThan(CHALLENGES * ATTEMPTS_PER_CHALLENGE);
    expect(await recorded(user)).toEqual({ attempts: 1 + refused, used: 1, refusals: refused, sessions: 1 });
  },
  120_000,
);

it('of 400 guesses at once at one challenge five are looked at', async () => {
  const { user } = await enrolled();
  const challenge = await user.challenged();
  const outcomes = await race(user, [challenge], totp(user.wrongCode()));
  expect(outcomes).toEqual({
    SECOND_FACTOR_REFUSED: ATTEMPTS_PER_CHALLENGE,
    INVALID_CHALLENGE: CALLS - ATTEMPTS_PER_CHALLENGE,
  });
  expect(await recorded(user)).toEqual({ attempts: 5, used: 0, refusals: 5, sessions: 0 });
  const right = user.complete(challenge, totp(await user.freshCode()));
  await expect(right).rejects.toThrow('begin again');
}, 60_000);
