import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { closeRedis, connectRedis, type RedisClient } from '../../../runtime/redis-connection.ts';
import type { RedisTarget } from '../../../runtime/redis-target.ts';
import { readKeyDocument } from '../storage/caller-key-document.ts';
import { CALLER_KEYS_KEY } from '../storage/caller-key-store.ts';
import { readDocument, revisionNumber } from '../storage/live-document.ts';
import { LIVE_RULES_KEY } from '../storage/redis-live-rules.ts';

/** What is of lasting worth in Redis: counts are not. */
export const LIMITER_DOCUMENTS = ['rules', 'callers'] as const;
export type LimiterDocumentName = (typeof LIMITER_DOCUMENTS)[number];

/** A document as it is kept in Redis. */
export interface LimiterDocument {
  readonly name: LimiterDocumentName;
  /** `<number>.<digest>`: of two documents the one with the higher number holds. */
  readonly revision: string;
  /** JSON. Of the caller keys: digests, no keys. */
  readonly text: string;
}

/** Whether a document was put into Redis, or gave way to one there that is as new or newer. */
export type PutOutcome = 'restored' | 'kept';

const KEYS: Readonly<Record<LimiterDocumentName, { readonly key: string; readonly channel: string }>> = {
  rules: { key: LIVE_RULES_KEY, channel: 'ratelimit:rules' },
  callers: { key: CALLER_KEYS_KEY, channel: 'ratelimit:callers' },
};
/** The script that the service changes them by. */
const PUT = readFileSync(new URL('../storage/put-live-rules.lua', import.meta.url), 'utf8');
const CONNECT_MS = 5_000;
const MAX_TRIES = 10;

/**
 * Reads the live rules and the caller keys; those that were never made are left out.
 *
 * @throws Error that says why it can't, without a password
 */
export async function readLimiterDocuments(target: RedisTarget): Promise<readonly LimiterDocument[]> {
  return await withRedis(target, async (client) => {
    const documents: LimiterDocument[] = [];
    for (const name of LIMITER_DOCUMENTS) {
      const [revision, text] = await client.hmget(KEYS[name].key, 'revision', 'document');
      if (typeof revision !== 'string' || typeof text !== 'string') continue;
      const document = { name, revision, text };
      countEntries(document);
      documents.push(document);
    }
    return documents;
  });
}

/**
 * Finds out whether documents can be put there. What is there is not read: a restore is also for one that nobody can read.
 *
 * @throws Error that says why not, without a password
 */
export async function askLimiter(target: RedisTarget): Promise<void> {
  await withRedis(target, async (client) => {
    for (const name of LIMITER_DOCUMENTS) await client.hget(KEYS[name].key, 'revision');
  });
}

/**
 * How many rules or keys a document has.
 *
 * @throws Error where the service could not read it
 */
export function countEntries({ name, revision, text }: LimiterDocument): number {
  return name === 'rules'
    ? readDocument(revision, text).rules.length
    : readKeyDocument(revision, text).keys.length;
}

/**
 * Puts documents into Redis as replicas do among themselves: the higher revision holds. So a restore into a Redis that has
 * newer ones, or beside replicas that know newer ones, takes nothing back.
 *
 * @throws Error that says why it can't, without a password
 */
export async function putLimiterDocuments(
  target: RedisTarget,
  documents: readonly LimiterDocument[],
): Promise<ReadonlyMap<LimiterDocumentName, PutOutcome>> {
  return await withRedis(target, async (client) => {
    const outcomes = new Map<LimiterDocumentName, PutOutcome>();
    for (const document of documents) outcomes.set(document.name, await put(client, document));
    return outcomes;
  });
}

async function put(client: RedisClient, { name, revision, text }: LimiterDocument): Promise<PutOutcome> {
  const { key, channel } = KEYS[name];
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const before = (await client.hget(key, 'revision')) ?? '0.';
    if (revisionNumber(before) >= revisionNumber(revision)) return 'kept';
    if ((await client.eval(PUT, 1, key, before, revision, text, channel)) === 1) return 'restored';
  }
  throw new Error(`the limiter's ${name} are changed by too many at once`);
}

async function withRedis<T>(target: RedisTarget, work: (client: RedisClient) => Promise<T>): Promise<T> {
  const client = connectRedis(target, 'optix-backup');
  let last: unknown;
  client.on('error', (error: unknown) => {
    last = error;
  });
  try {
    await once(client, 'ready', { signal: AbortSignal.timeout(CONNECT_MS) }).catch((error: unknown) => {
      // `once` also ends by an error, of which the client would recover: it goes on trying by itself.
      if (client.status !== 'ready') throw last ?? error;
    });
    return await work(client);
  } catch (error) {
    const { name, message } = error as Error;
    // Only the text: ioredis hangs the command, and so what is in it, on its errors.
    const isLate = name === 'AbortError' || name === 'TimeoutError';
    throw new Error(
      `Redis (REDIS_URL): ${isLate ? 'it does not answer in time' : message || 'nothing answers'}`,
    );
  } finally {
    closeRedis(client);
  }
}
