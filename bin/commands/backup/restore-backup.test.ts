import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { singleRedis } from '../../../runtime/redis-target.ts';
import { putLimiterDocuments } from '../../../services/ratelimit/backup/limiter-documents.ts';
import { type RedisServer, startRedis } from '../../../stack/redis-server.ts';
import { createTestDatabase, type TestDatabase } from '../../../testing/database.ts';
import { restoreBackup } from './restore-backup.ts';
import { restoreText } from './restore-summary.ts';
import { writeBackup } from './write-backup.ts';

const TEXT = '{"rules":[{"name":"orders","limits":[{"limit":2,"window":"1h"}]}]}';
const RULES = { name: 'rules', revision: '100.aaaaaaaaaaaaaaaa', text: TEXT } as const;
const KEY = 'ratelimit:{rules}';
const SILENT = { isTTY: false, write: () => true };
const OPTIONS = { only: undefined, isCheck: false, keepSessions: false, allowMissingKeys: false };

const from = join(mkdtempSync(join(tmpdir(), 'optix-backups-')), 'backup');
let source: TestDatabase;
let server: RedisServer;
let redis: Redis;
beforeAll(async () => {
  [source, server] = await Promise.all([createTestDatabase(), startRedis()]);
  redis = new Redis(server.url);
  const target = singleRedis(server.url);
  await putLimiterDocuments(target, [RULES]);
  const places = { databaseUrl: source.url, redis: target };
  await writeBackup(from, places, SILENT, new AbortController().signal);
});
afterAll(async () => {
  redis.disconnect();
  await server[Symbol.asyncDispose]();
  await source[Symbol.asyncDispose]();
});
beforeEach(async () => void (await redis.flushall()));

async function restore({ withRedis }: { readonly withRedis: boolean }) {
  await using database = await createTestDatabase({ migrated: false });
  const target = withRedis ? singleRedis(server.url) : undefined;
  const places = { databaseUrl: database.url, redis: target, encryptionKeyIds: [] };
  return await restoreBackup(from, places, OPTIONS, SILENT);
}

it("says that the limiter's part was not restored where REDIS_URL is not set", async () => {
  const summary = await restore({ withRedis: false });
  expect(summary).toMatchObject({ limiter: null, limiterSkipped: true });
  expect(restoreText(summary)).toContain('NOT RESTORED, as REDIS_URL is not set');
});

it('puts rules in the place of some that nobody can read', async () => {
  await redis.hset(KEY, { revision: '1.aaaaaaaaaaaaaaaa', document: 'no JSON' });
  expect(await restore({ withRedis: true })).toMatchObject({
    limiter: { rules: 'restored' },
    limiterSkipped: false,
  });
  expect(await redis.hget(KEY, 'document')).toBe(TEXT);
});

it('leaves rules alone that are newer', async () => {
  const newer = { revision: '101.bbbbbbbbbbbbbbbb', document: '{"rules":[]}' };
  await redis.hset(KEY, newer);
  expect(await restore({ withRedis: true })).toMatchObject({ limiter: { rules: 'kept' } });
  expect(await redis.hgetall(KEY)).toEqual(newer);
});

it('changes nothing where what is in Redis can not be changed', async () => {
  await redis.set(KEY, 'of somebody else');
  await expect(restore({ withRedis: true })).rejects.toThrow(/^Redis \(REDIS_URL\): WRONGTYPE/);
});
