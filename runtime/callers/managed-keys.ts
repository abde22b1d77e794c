import { v7 as uuidV7 } from 'uuid';
import type { Logger } from '../logger.ts';
import { pause, repeat } from '../timers.ts';
import type { Caller } from './caller.ts';
import type { ApiKeys } from './caller-directory.ts';
import { isGood, keyDigest, newKeyText, type StoredCallerKey } from './caller-key.ts';
import type { CallerKeyStore } from './caller-key-store.ts';
import { CallerKeyEnded, CallerKeyExists, CallerKeyNotFound, TooManyCallerKeys } from './errors.ts';
import type { Policy } from './policy.ts';

/** The most keys that are good at one time. */
const MAX_GOOD_KEYS = 1000;
const POLL_MS = 300;
/** How long noting when keys were used may wait, in milliseconds. */
const NOTE_USE_MS = 10_000;
const RETRY_MS = 100;

export interface ManagedKeysOptions {
  readonly store: CallerKeyStore;
  readonly policy: Policy;
  readonly logger: Logger;
  /** Default: 10,000. */
  readonly noteUseMs?: number;
}

/** What a new key is to be. */
export interface NewCallerKey {
  /** Undefined: chosen here. */
  readonly id: string | undefined;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly expiresAt: Date | null;
  /** The caller that has it made. */
  readonly createdBy: string;
}

/** A key that was just made, and its text, which nobody can tell again. */
export interface MadeCallerKey {
  readonly key: StoredCallerKey;
  readonly text: string;
}

interface Held {
  readonly id: string;
  readonly caller: Caller;
  /** By Date.now(); Infinity for a key that lasts. */
  readonly endsAt: number;
}

/**
 * API keys that are made, rotated and revoked while the service runs. This process holds the good ones in memory, looks
 * for changes every 300 ms, and goes on with what it knew last while the store is away.
 *
 * Changes and looks go one after the other, so that a look that began before a revocation can't undo it.
 */
export class ManagedKeys implements ApiKeys, AsyncDisposable {
  readonly #options: ManagedKeysOptions;
  readonly #stop = new AbortController();
  #held: ReadonlyMap<string, Held> = new Map();
  #version: string | undefined;
  /** By id, as Date.now(). */
  #used = new Map<string, number>();
  #turn: Promise<unknown> = Promise.resolve();
  #loops: Promise<unknown> = Promise.resolve();
  #away = false;

  constructor(options: ManagedKeysOptions) {
    this.#options = options;
  }

  find(digest: string): Caller | undefined {
    const held = this.#held.get(digest);
    if (held === undefined) return undefined;
    const now = Date.now();
    if (held.endsAt <= now) return undefined;
    this.#used.set(held.id, now);
    return held.caller;
  }

  /** Reads the keys for the first time, `withinMs` at most, and goes on looking from then on. Never rejects. */
  async start(withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs;
    const late = pause(withinMs, this.#stop.signal);
    const first = (async () => {
      while (!this.#stop.signal.aborted && !(await this.#look(true)) && performance.now() < deadline) {
        await pause(RETRY_MS, this.#stop.signal);
      }
    })();
    await Promise.race([first, late]);
    this.#loops = Promise.all([
      first.then(() => repeat(POLL_MS, this.#stop.signal, () => this.#look())),
      repeat(this.#options.noteUseMs ?? NOTE_USE_MS, this.#stop.signal, () => this.#noteUse()),
    ]);
  }

  /** All keys, oldest first, also those that are not good any more. */
  async list(): Promise<readonly StoredCallerKey[]> {
    return await this.#options.store.list();
  }

  /** @throws CallerKeyExists, TooManyCallerKeys */
  async create(wanted: NewCallerKey): Promise<MadeCallerKey> {
    return await this.#exclusively(async () => {
      const { store } = this.#options;
      requireRoom(await store.list(), wanted.id);
      const made = make(wanted);
      await store.insert(made.key);
      this.#hold([...this.#held, ...this.#heldOf([made.key])]);
      return made;
    });
  }

  /**
   * Makes a key that follows another one, which goes on for the overlap (in ms).
   *
   * @param expiresAt of the new key; undefined: it lasts as long as the other was made to
   * @throws CallerKeyNotFound, CallerKeyEnded, CallerKeyChanged, CallerKeyExists, TooManyCallerKeys
   */
  async rotate(
    id: string,
    overlapMs: number,
    successor: { readonly id: string | undefined; readonly expiresAt?: Date; readonly createdBy: string },
  ): Promise<MadeCallerKey & { readonly previous: StoredCallerKey }> {
    return await this.#exclusively(async () => {
      const { store } = this.#options;
      const keys = await store.list();
      requireRoom(keys, successor.id);
      const before = keys.find((key) => key.id === id);
      const now = new Date();
      if (before === undefined) throw new CallerKeyNotFound();
      if (!isGood(before, now)) throw new CallerKeyEnded();
      const { name, scopes } = before;
      const made = make({
        name,
        scopes,
        expiresAt: successor.expiresAt ?? lastingAs(before, now),
        ...successor,
      });
      const expiresAt = new Date(
        Math.min(now.getTime() + overlapMs, before.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY),
      );
      await store.replace(before, expiresAt, made.key);
      const previous = { ...before, expiresAt };
      this.#hold([...this.#held, ...this.#heldOf([previous, made.key])]);
      return { ...made, previous };
    });
  }

  /** @throws CallerKeyNotFound */
  async revoke(id: string): Promise<StoredCallerKey> {
    return await this.#exclusively(async () => {
      const key = await this.#options.store.revoke(id, new Date());
      this.#hold([...this.#held].filter(([, held]) => held.id !== id));
      return key;
    });
  }

  /** Stops looking; notes the last uses. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loops;
    await this.#turn;
    await this.#noteUse();
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Whether the store could be asked. @param isStart its connection may not be there yet, which is no news */
  async #look(isStart = false): Promise<boolean> {
    return await this.#exclusively(async () => {
      const { store, logger } = this.#options;
      try {
        const version = await store.version();
        if (version !== this.#version) {
          this.#hold(this.#heldOf(await store.list()));
          // Of before the list: a change in between is found the next time.
          this.#version = version;
        }
        if (this.#away) logger.info('caller keys can be read again');
        this.#away = false;
        return true;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (isStart) return false;
        if (!this.#away) logger.error({ reason }, 'caller keys can not be read: the last known ones stay');
        this.#away = true;
        return false;
      }
    });
  }

  #heldOf(keys: readonly StoredCallerKey[]): [string, Held][] {
    const now = new Date();
    return keys
      .filter((key) => isGood(key, now))
      .map(({ id, name, scopes, digest, expiresAt }) => {
        const caller: Caller = { name, scopes: this.#options.policy.grant(scopes), credential: 'api_key' };
        return [digest, { id, caller, endsAt: expiresAt?.getTime() ?? Number.POSITIVE_INFINITY }];
      });
  }

  #hold(entries: Iterable<readonly [string, Held]>): void {
    this.#held = new Map(entries);
  }

  async #noteUse(): Promise<void> {
    const { store, logger } = this.#options;
    const used = this.#used;
    if (used.size === 0) return;
    this.#used = new Map();
    try {
      await store.noteUse(new Map([...used].map(([id, at]) => [id, new Date(at)])));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn({ reason }, 'times of use of caller keys are not noted yet');
      for (const [id, at] of used) if (!this.#used.has(id)) this.#used.set(id, at);
    }
  }
}

function make({ id, name, scopes, expiresAt, createdBy }: NewCallerKey): MadeCallerKey {
  const text = newKeyText();
  const key = {
    ...{ id: id ?? uuidV7(), name, scopes, digest: keyDigest(text), createdAt: new Date(), createdBy },
    ...{ expiresAt, revokedAt: null, lastUsedAt: null },
  };
  return { key, text };
}

function requireRoom(keys: readonly StoredCallerKey[], id: string | undefined): void {
  // Before all else, so that a call that is repeated gets the same answer however full it is by now.
  if (keys.some((key) => key.id === id)) throw new CallerKeyExists();
  const now = new Date();
  if (keys.filter((key) => isGood(key, now)).length >= MAX_GOOD_KEYS)
    throw new TooManyCallerKeys(MAX_GOOD_KEYS);
}

function lastingAs({ createdAt, expiresAt }: StoredCallerKey, now: Date): Date | null {
  return expiresAt === null ? null : new Date(now.getTime() + expiresAt.getTime() - createdAt.getTime());
}
