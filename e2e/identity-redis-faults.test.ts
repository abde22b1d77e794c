import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../stack/redis-server.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { stackDirectory } from '../testing/stack-directory.ts';
import { IdentityReplicas, type OpenSession } from './identity-replicas.ts';

/** For how long a replica may believe Redis after it heard of the revocations last, and what the clocks may differ. */
const LEASE_MS = 1250;
/** A call without a fault, on a busy machine. */
const CALL_MS = 1500;

let directory: ReturnType<typeof stackDirectory>;
let database: TestDatabase;
let redis: RedisServer;
let identity: IdentityReplicas;
beforeAll(async () => {
  directory = stackDirectory();
  database = await createTestDatabase();
  redis = await start();
  identity = await IdentityReplicas.start({ DATABASE_URL: database.url, REDIS_URL: redis.url });
});
afterEach(async () => {
  // A Redis that was stopped by a test that failed must not fail the others.
  redis.kill('SIGCONT');
});
afterAll(async () => {
  await identity[Symbol.asyncDispose]();
  await redis.stop();
  await database[Symbol.asyncDispose]();
  directory[Symbol.dispose]();
});

/** With a memory: after a crash it has again what it had before. */
async function start(port = 0): Promise<RedisServer> {
  return await startRedis({
    dir: directory.path,
    port,
    args: ['--appendonly', 'yes', '--appendfsync', 'always'],
  });
}

async function flush(): Promise<void> {
  const client = new Redis(redis.url, { protocol: 2 });
  await client.flushall();
  client.disconnect();
}

const nothing = async (): Promise<void> => undefined;
const FAULTS: readonly {
  readonly name: string;
  readonly begin: () => Promise<void>;
  readonly end: () => Promise<void>;
}[] = [
  { name: 'is flushed', begin: flush, end: nothing },
  {
    name: 'hangs (SIGSTOP)',
    begin: async () => redis.kill('SIGSTOP'),
    end: async () => redis.kill('SIGCONT'),
  },
  {
    name: 'is killed (SIGKILL), and comes back with what it had before',
    begin: async () => {
      redis.kill('SIGKILL');
      await redis.exited;
    },
    end: async () => {
      redis = await start(redis.port);
    },
  },
];

/** Until both replicas answer from Redis: it has an entry of the session. */
async function warm({ sessionId, accessToken }: OpenSession): Promise<void> {
  const client = new Redis(redis.url, { protocol: 2 });
  await expect
    .poll(
      async () => {
        await identity.isActive(accessToken);
        return (await client.keys('*')).some((key) => key.includes(sessionId) && !key.includes('permit'));
      },
      { timeout: 10_000 },
    )
    .toBe(true);
  client.disconnect();
}

async function timed<T>(work: Promise<T>): Promise<{ readonly answer: T; readonly ms: number }> {
  const startedAt = performance.now();
  return { answer: await work, ms: performance.now() - startedAt };
}

it.each(FAULTS)(
  'while Redis $name, sign-in, introspection and revocation go on, fast, and are right',
  async ({ begin, end }) => {
    const { rpcs } = identity;
    const { email } = await identity.newUser();
    const [kept, revoked, signedOut] = [
      await identity.signIn(email),
      await identity.signIn(email),
      await identity.signIn(email),
    ];
    for (const each of [kept, revoked, signedOut]) await warm(each);

    await begin();
    const looks = await timed(identity.isActive(kept.accessToken));
    expect(looks.answer).toEqual([true, true]);
    expect(looks.ms).toBeLessThan(CALL_MS);
    const signIn = await timed(identity.signIn(email));
    expect(signIn.ms).toBeLessThan(CALL_MS);
    expect(await identity.isActive(signIn.answer.accessToken)).toEqual([true, true]);

    const revocation = await timed(rpcs.sessions.revokeSession({ id: revoked.sessionId }));
    expect(await identity.isActive(revoked.accessToken)).toEqual([false, false]);
    const signOut = await timed(rpcs.auth.signOut({ refreshToken: signedOut.refreshToken }));
    expect(await identity.isActive(signedOut.accessToken)).toEqual([false, false]);
    for (const { ms } of [revocation, signOut]) expect(ms).toBeLessThan(LEASE_MS + CALL_MS);

    await end();
    // What Redis has from before is not believed: not when it comes back, and not later.
    const until = performance.now() + 2 * LEASE_MS;
    while (performance.now() < until) {
      expect(await identity.isActive(revoked.accessToken)).toEqual([false, false]);
      expect(await identity.isActive(signedOut.accessToken)).toEqual([false, false]);
      expect(await identity.isActive(kept.accessToken)).toEqual([true, true]);
      await sleep(10);
    }
    await warm(kept);
    await identity.expectEnded(revoked, 'revoked');
  },
);
