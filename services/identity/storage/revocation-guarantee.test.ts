import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type RedisServer, startRedis } from '../../../stack/redis-server.ts';
import { revokeSession } from '../domain/revoke-session.ts';
import { revokeToken } from '../domain/revoke-token.ts';
import { SecretBox } from '../domain/secret-box.ts';
import type { User } from '../domain/user.ts';
import type { Uuid } from '../domain/uuid.ts';
import { LEASE_MS } from './active-sessions-lease.ts';
import { TestIdentity } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { TestProxy } from './testing-proxy.ts';
import { type OpenedSession, TestReplica } from './testing-replica.ts';

/*
 * When a revocation was acknowledged no replica says of a token that it is active: whatever becomes of Redis, however slow
 * a replica is, and whoever is cut off from Redis.
 */

const ORIGIN = { caller: null, actor: null, reason: null };
const SECONDS = Number(process.env['OPTIX_GUARANTEE_SECONDS'] ?? 10);

/** A token, with what was done about it. Times by performance.now(). */
interface Watched extends OpenedSession {
  readonly generation: number;
  /** When its revocation was first asked for. */
  revoking: number;
  /** When it was acknowledged. */
  revoked: number;
}

let db: TestOrm;
let dir: string;
let server: RedisServer;
let replicas: TestReplica[];
let proxies: TestProxy[];
let users: User[];
const secretBox = SecretBox.fromKeys({ id: 'k1', key: randomBytes(32) });
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows('truncate user_service.users, user_service.signing_keys, user_service.revocations cascade');
  dir = mkdtempSync(join(tmpdir(), 'optix-guarantee-'));
  server = await startRedis({ dir });
  const identity = new TestIdentity(db);
  users = await Promise.all(
    Array.from({ length: 4 }, (_, index) => identity.register(`user${index}@example.com`)),
  );
  // Keys of their own secret box: the one above is another identity's.
  await db.rows('delete from user_service.signing_keys');
  proxies = [];
  replicas = [];
  for (let index = 0; index < 3; index += 1) {
    const proxy = new TestProxy(server.url);
    await proxy.up();
    proxies.push(proxy);
    replicas.push(await TestReplica.open({ databaseUrl: db.url, redisUrl: proxy.url, secretBox }));
  }
  // So that all of them sign with one key.
  await replicas[0]?.signingKeys.active();
});
afterEach(async () => {
  for (const replica of replicas) await replica[Symbol.asyncDispose]();
  for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
  server.kill('SIGCONT');
  server.kill('SIGKILL');
  await server.exited;
  await rm(dir, { recursive: true, force: true });
});

async function admin(work: (client: Redis) => Promise<unknown>): Promise<void> {
  const client = new Redis(server.url, {
    retryStrategy: () => null,
    lazyConnect: true,
    commandTimeout: 2_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await work(client);
  } finally {
    client.disconnect();
  }
}

/** As power loss does: what comes back is the last snapshot. */
async function crashAndRestart(downMs: number): Promise<void> {
  server.kill('SIGCONT');
  server.kill('SIGKILL');
  await server.exited;
  await sleep(downMs);
  server = await startRedis({ dir, port: server.port });
}

const pick = <T>(of: readonly T[]): T => of[Math.floor(Math.random() * of.length)] as T;
const anyReplica = () => pick(replicas);

const byRedis = async (replica: TestReplica, token: string): Promise<boolean> => {
  const before = replica.asked.tokens;
  await replica.isActive(token);
  return replica.asked.tokens === before;
};

/** Until every replica answers from Redis. */
async function warm(token: string): Promise<void> {
  // A replica that was late once leaves Redis alone for a second.
  for (const replica of replicas) {
    await expect.poll(() => byRedis(replica, token), { timeout: 10_000 }).toBe(true);
  }
}

test('warm, a token is looked into without a statement', async () => {
  const { token } = await anyReplica().signIn(users[0]?.id as Uuid);
  for (const replica of replicas) {
    const statementsOf50 = async () => {
      const before = replica.asked.statements;
      for (let times = 0; times < 50; times += 1) expect(await replica.isActive(token)).toBe(true);
      return replica.asked.statements - before;
    };
    await expect.poll(statementsOf50, { timeout: 10_000 }).toBe(0);
  }
});

test('a revocation is acknowledged at once where Redis is there, and waits where it is not', async () => {
  const [first, second, third] = replicas as [TestReplica, TestReplica, TestReplica];
  const timed = async (revoker: TestReplica): Promise<number> => {
    const session = await first.signIn(users[0]?.id as Uuid);
    await warm(session.token);
    if (revoker === second) await proxies[1]?.down();
    const startedAt = performance.now();
    await revokeSession(revoker.revocation, session.sessionId, ORIGIN);
    const took = performance.now() - startedAt;
    for (const replica of replicas) expect(await replica.isActive(session.token)).toBe(false);
    return took;
  };
  expect(await timed(third)).toBeLessThan(LEASE_MS);
  expect(await timed(second)).toBeGreaterThanOrEqual(LEASE_MS);
});

test('a snapshot of Redis from before a revocation brings nothing back', async () => {
  const session = await anyReplica().signIn(users[0]?.id as Uuid);
  await warm(session.token);
  await admin((client) => client.save());
  // So that it is not for a cold Redis that the test passes.
  const [saved] = (await readdir(dir)).filter((name) => name.endsWith('.rdb'));
  expect(saved).toBeDefined();
  await revokeSession(anyReplica().revocation, session.sessionId, ORIGIN);
  // Long enough for every replica to have deleted it, and to have nothing left to do about it.
  await sleep(LEASE_MS);
  await crashAndRestart(0);
  const other = await anyReplica().signIn(users[0]?.id as Uuid);
  await warm(other.token);
  for (const replica of replicas) expect(await replica.isActive(session.token)).toBe(false);
});

test('tokens of a signing key that was revoked are refused, however warm', async () => {
  const session = await anyReplica().signIn(users[0]?.id as Uuid);
  await warm(session.token);
  const [header = ''] = session.token.split('.');
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { readonly kid: string };
  await anyReplica().revocation.unitOfWork.transactional(async ({ revocations }) => {
    await db.rows('delete from user_service.signing_keys where kid = $1', [kid]);
    await revocations.add([{ kind: 'key', keyId: kid, reason: 'revoked', createdAt: new Date() }]);
  });
  for (const replica of replicas) expect(await replica.isActive(session.token)).toBe(false);
});

test('looking into a token races its revocation, 200 times', { timeout: 90_000 }, async () => {
  let raced = 0;
  for (let round = 0; round < 200; round += 1) {
    const session = await anyReplica().signIn(pick(users).id);
    let revoked = false;
    const looks = replicas.map(async (replica) => {
      while (!revoked) if (await replica.isActive(session.token)) raced += 1;
    });
    await sleep(Math.random() * 5);
    await revokeSession(anyReplica().revocation, session.sessionId, ORIGIN);
    revoked = true;
    for (const replica of replicas) expect(await replica.isActive(session.token)).toBe(false);
    await Promise.all(looks);
  }
  expect(raced).toBeGreaterThan(200);
});

test(`at random for ${SECONDS} s`, { timeout: SECONDS * 1000 + 60_000 }, async () => {
  const counts = {
    signIns: 0,
    looks: 0,
    active: 0,
    fromRedis: 0,
    sessions: 0,
    tokens: 0,
    users: 0,
    mishaps: {},
  };
  const mishaps: Record<string, number> = counts.mishaps;
  const watched: Watched[] = [];
  const generations = new Map(users.map(({ id }) => [id, 1]));
  const wrong: string[] = [];
  const end = performance.now() + SECONDS * 1000;

  const look = async (replica: TestReplica, token: Watched): Promise<void> => {
    const startedAt = performance.now();
    const isActive = await replica.isActive(token.token);
    counts.looks += 1;
    if (isActive) counts.active += 1;
    if (isActive && token.revoked < startedAt) {
      wrong.push(`active ${Math.round(startedAt - token.revoked)} ms after it was revoked`);
    }
    if (!isActive && token.revoking > performance.now()) wrong.push('inactive, though nobody revoked it');
  };

  const revokeUser = async (replica: TestReplica, userId: Uuid): Promise<void> => {
    const at = new Date();
    const generation = (generations.get(userId) ?? 1) + 1;
    generations.set(userId, generation);
    const affected = watched.filter((token) => token.userId === userId && token.generation < generation);
    for (const token of affected) token.revoking = Math.min(token.revoking, performance.now());
    await replica.revocation.unitOfWork.transactional(async ({ revocations }) => {
      await db.rows('update user_service.users set token_generation = $1 where id = $2', [
        generation,
        userId,
      ]);
      await revocations.add([{ kind: 'user', userId, generation, reason: 'roles_changed', createdAt: at }]);
    });
    for (const token of affected) token.revoked = Math.min(token.revoked, performance.now());
    counts.users += 1;
  };

  const revokeOne = async (
    replica: TestReplica,
    token: Watched,
    kind: 'sessions' | 'tokens',
  ): Promise<void> => {
    const affected =
      kind === 'tokens' ? [token] : watched.filter(({ sessionId }) => sessionId === token.sessionId);
    for (const one of affected) one.revoking = Math.min(one.revoking, performance.now());
    if (kind === 'tokens') await revokeToken(replica.revocation, token.token, ORIGIN);
    else await revokeSession(replica.revocation, token.sessionId, ORIGIN);
    const now = performance.now();
    for (const one of affected) one.revoked = Math.min(one.revoked, now);
    counts[kind] += 1;
    for (const each of replicas) await look(each, token);
  };

  const work = async (): Promise<void> => {
    while (performance.now() < end) {
      const replica = anyReplica();
      const dice = Math.random();
      const recent = watched.slice(-40);
      if (recent.length < 10 || dice < 0.05) {
        const { id: userId } = pick(users);
        const generation = generations.get(userId) ?? 1;
        const session = await replica.signIn(userId, generation);
        const never = { generation, revoking: Number.POSITIVE_INFINITY, revoked: Number.POSITIVE_INFINITY };
        // Revoked before it was signed, maybe: then it is of no use here.
        if (generations.get(userId) === generation) watched.push({ ...session, ...never });
        counts.signIns += 1;
      } else if (dice < 0.06) await revokeOne(replica, pick(recent), 'sessions');
      else if (dice < 0.07) await revokeOne(replica, pick(recent), 'tokens');
      else if (dice < 0.071) await revokeUser(replica, pick(users).id);
      else await look(replica, pick(recent));
    }
  };

  const ofRedis: Record<string, () => Promise<unknown>> = {
    flush: () => admin((client) => client.flushall()),
    crash: () => crashAndRestart(Math.random() * 500),
    crashLater: async () => {
      await admin((client) => client.save());
      await sleep(Math.random() * 2_000);
      await crashAndRestart(0);
    },
    hang: async () => {
      server.kill('SIGSTOP');
      await sleep(Math.random() * 2_500);
      server.kill('SIGCONT');
    },
    disconnect: () => admin((client) => client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')),
  };
  const ofReplicas: Record<string, () => Promise<unknown>> = {
    cutOff: async () => {
      const proxy = pick(proxies);
      await proxy.down();
      await sleep(Math.random() * 2_500);
      await proxy.up();
    },
    slow: async () => {
      const replica = anyReplica();
      replica.afterRead = () => sleep(Math.random() * 400);
      await sleep(2_000);
      replica.afterRead = async () => undefined;
    },
  };
  const misfortune = async (kinds: Record<string, () => Promise<unknown>>): Promise<void> => {
    while (performance.now() < end) {
      const kind = pick(Object.keys(kinds));
      mishaps[kind] = (mishaps[kind] ?? 0) + 1;
      await kinds[kind]?.();
      // Time to get warm again.
      await sleep(Math.random() * 3_000);
    }
  };

  await Promise.all([...Array.from({ length: 24 }, work), misfortune(ofRedis), misfortune(ofReplicas)]);
  const inDatabase = replicas.reduce((sum, { asked }) => sum + asked.tokens, 0);
  expect(wrong).toEqual([]);
  // Or nothing was shown of Redis.
  expect(inDatabase).toBeLessThan(0.9 * counts.looks);
  expect(counts.sessions + counts.tokens).toBeGreaterThan(5 * SECONDS);
  expect(replicas.flatMap(({ failures }) => failures)).toEqual([]);
});

test('with the database away nobody is told that a token is active', async () => {
  const proxy = new TestProxy(db.url);
  await proxy.up();
  const replica = await TestReplica.open({ databaseUrl: proxy.url, redisUrl: server.url, secretBox });
  replicas.push(replica);
  const { token } = await replica.signIn(users[0]?.id as Uuid);
  await expect.poll(() => byRedis(replica, token)).toBe(true);
  await proxy.down();
  await sleep(LEASE_MS);
  await expect(replica.isActive(token)).rejects.toThrow('the database can not be reached');
  await proxy.up();
  await expect.poll(() => replica.isActive(token).catch(() => false)).toBe(true);
});
