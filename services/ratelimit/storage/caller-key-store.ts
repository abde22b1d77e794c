import { readFileSync } from 'node:fs';
import type { StoredCallerKey } from '../../../runtime/callers/caller-key.ts';
import type { CallerKeyStore } from '../../../runtime/callers/caller-key-store.ts';
import { CallerKeyChanged, CallerKeyExists, CallerKeyNotFound } from '../../../runtime/callers/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { closeRedis, connectRedis, type RedisClient } from '../../../runtime/redis-connection.ts';
import type { RedisTarget } from '../../../runtime/redis-target.ts';
import { StoreAway } from '../domain/errors.ts';
import {
  type CallerKeyDocument,
  NO_CALLER_KEYS,
  nextKeyDocument,
  readKeyDocument,
} from './caller-key-document.ts';
import { revisionNumber } from './live-document.ts';
import { redisFailure } from './redis-failure.ts';
import { withinBudget } from './within-budget.ts';

/** No limit's key begins so: those have an endpoint before `:{`. */
export const CALLER_KEYS_KEY = 'ratelimit:{callers}';
/** When each key was used last: a hash of ids to milliseconds since 1970. */
export const CALLER_KEYS_USED_KEY = 'ratelimit:{callers}:used';
const CHANNEL = 'ratelimit:callers';

/** The same rule for any document with a revision. */
const PUT = readFileSync(new URL('./put-live-rules.lua', import.meta.url), 'utf8');
const BUDGET_MS = 1_000;
/** Each time somebody else's change came first. */
const MAX_TRIES = 100;

export interface RedisCallerKeyStoreOptions {
  readonly target: RedisTarget;
  readonly logger: Logger;
}

/**
 * Caller keys in Redis, kept as the live rules are: one document with a revision and without an expiry, changed by
 * compare-and-set. Each replica holds what it knew last; where Redis has lost the document (a flush, a failover before
 * it was replicated) the first replica to notice writes it back, and the highest revision wins. So a key that was revoked
 * does not come back as long as one replica knows that it was.
 */
export class RedisCallerKeyStore implements CallerKeyStore, Disposable {
  readonly #client: RedisClient;
  readonly #logger: Logger;
  #document: CallerKeyDocument = NO_CALLER_KEYS;
  /** One thing at a time: reading, changing. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ target, logger }: RedisCallerKeyStoreOptions) {
    this.#logger = logger;
    this.#client = connectRedis(target, 'ratelimit-callers');
    // A failed command tells.
    this.#client.on('error', () => undefined);
  }

  [Symbol.dispose](): void {
    closeRedis(this.#client);
  }

  /** @throws StoreAway */
  async version(): Promise<string> {
    return await this.#exclusively(async () => {
      await this.#refresh();
      return this.#document.revision;
    });
  }

  /** @throws StoreAway */
  async list(): Promise<readonly StoredCallerKey[]> {
    await this.version();
    const { keys } = this.#document;
    const used = await this.#usesOf(keys);
    return keys.map((key) => {
      const at = Number(used.get(key.id) ?? Number.NaN);
      return Number.isSafeInteger(at) ? { ...key, lastUsedAt: new Date(at) } : key;
    });
  }

  /** @throws CallerKeyExists, StoreAway */
  async insert(key: StoredCallerKey): Promise<void> {
    await this.#change((keys) => [...withoutId(keys, key.id), key]);
  }

  /** @throws CallerKeyChanged, CallerKeyExists, StoreAway */
  async replace(before: StoredCallerKey, expiresAt: Date, successor: StoredCallerKey): Promise<void> {
    await this.#change((keys) => {
      const now = keys.find(({ id }) => id === before.id);
      if (now === undefined || now.revokedAt !== null || !sameTime(now.expiresAt, before.expiresAt)) {
        throw new CallerKeyChanged();
      }
      const others = withoutId(keys, successor.id);
      return [...others.map((key) => (key.id === before.id ? { ...key, expiresAt } : key)), successor];
    });
  }

  /** @throws CallerKeyNotFound, StoreAway */
  async revoke(id: string, at: Date): Promise<StoredCallerKey> {
    await this.#change((keys) => {
      if (!keys.some((key) => key.id === id)) throw new CallerKeyNotFound();
      return keys.map((key) => (key.id === id ? { ...key, revokedAt: key.revokedAt ?? at } : key));
    });
    const key = this.#document.keys.find((each) => each.id === id);
    if (key === undefined) throw new CallerKeyNotFound();
    return key;
  }

  /** @throws StoreAway */
  async noteUse(uses: ReadonlyMap<string, Date>): Promise<void> {
    const known = new Set(this.#document.keys.map(({ id }) => id));
    const fields = [...uses]
      .filter(([id]) => known.has(id))
      .flatMap(([id, at]) => [id, String(at.getTime())]);
    if (fields.length > 0) await this.#ask(this.#client.hset(CALLER_KEYS_USED_KEY, ...fields));
  }

  async #change(edit: (keys: readonly StoredCallerKey[]) => readonly StoredCallerKey[]): Promise<void> {
    await this.#exclusively(async () => {
      for (let tries = 0; tries < MAX_TRIES; tries += 1) {
        await this.#refresh();
        const { revision, keys } = this.#document;
        const next = nextKeyDocument(revision, edit(keys), new Date());
        if (!(await this.#put(revision, next))) continue;
        this.#document = next;
        const kept = new Set(next.keys.map(({ id }) => id));
        if (keys.some(({ id }) => !kept.has(id))) await this.#forgetOtherUses(next.keys);
        return;
      }
      throw new StoreAway('the caller keys are changed by too many at once');
    });
  }

  /** When keys were used last, by id. */
  async #usesOf(keys: readonly StoredCallerKey[]): Promise<ReadonlyMap<string, string>> {
    const ids = keys.map(({ id }) => id);
    if (ids.length === 0) return new Map();
    const values = await this.#ask(this.#client.hmget(CALLER_KEYS_USED_KEY, ...ids));
    return new Map(ids.flatMap((id, index) => (values[index] ? [[id, values[index]] as const] : [])));
  }

  /** By commands that the live rules need too, so that the service's Redis user needs no further rights. */
  async #forgetOtherUses(keys: readonly StoredCallerKey[]): Promise<void> {
    const kept = await this.#usesOf(keys);
    await this.#ask(this.#client.unlink(CALLER_KEYS_USED_KEY));
    if (kept.size > 0) await this.#ask(this.#client.hset(CALLER_KEYS_USED_KEY, ...[...kept].flat()));
  }

  /** Comes to know what Redis has, or gives it back what it has lost. @throws StoreAway */
  async #refresh(): Promise<void> {
    const revision = await this.#ask(this.#client.hget(CALLER_KEYS_KEY, 'revision'));
    if (revision === this.#document.revision) return;
    const known = revisionNumber(this.#document.revision);
    if (known > 0 && (revision === null || revisionNumber(revision) < known)) {
      if (await this.#put(this.#document.revision, this.#document)) {
        this.#logger.warn(
          { revision: this.#document.revision },
          'Redis had lost the caller keys: written back',
        );
      }
      return;
    }
    if (revision === null) return;
    const [now, text] = await this.#ask(this.#client.hmget(CALLER_KEYS_KEY, 'revision', 'document'));
    this.#document = readKeyDocument(now ?? '', text ?? '');
  }

  /** Whether the document is in Redis now, in the place of the one of a revision. @throws StoreAway */
  async #put(before: string, { revision, text }: CallerKeyDocument): Promise<boolean> {
    const reply = this.#client.eval(PUT, 1, CALLER_KEYS_KEY, before, revision, text, CHANNEL);
    return (await this.#ask(reply)) === 1;
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Only the text of an error is kept: ioredis hangs the command, and so the digests, on it. */
  async #ask<T>(reply: Promise<T>): Promise<T> {
    try {
      return await withinBudget(reply, BUDGET_MS);
    } catch (error) {
      // A replica may have taken over. By itself ioredis asks for that every five seconds only.
      if ('refreshSlotsCache' in this.#client) this.#client.refreshSlotsCache();
      throw new StoreAway(redisFailure(error).message);
    }
  }
}

/** @throws CallerKeyExists where a key has the id */
function withoutId(keys: readonly StoredCallerKey[], id: string): readonly StoredCallerKey[] {
  if (keys.some((key) => key.id === id)) throw new CallerKeyExists();
  return keys;
}

function sameTime(a: Date | null, b: Date | null): boolean {
  return a?.getTime() === b?.getTime();
}
