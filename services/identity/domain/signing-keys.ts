import { SecretUnreadable } from './errors.ts';
import type { SecretBox } from './secret-box.ts';
import {
  generateSigningKey,
  openSigningKey,
  type PublicJwk,
  type SigningKey,
  type StoredSigningKey,
} from './signing-key.ts';

/** Where signing keys are kept. */
export interface SigningKeyStore {
  /** All keys that sign or verify. */
  list(): Promise<StoredSigningKey[]>;
  /** Adds the active key. False, and nothing added, where another one is active already. */
  insertActive(key: StoredSigningKey): Promise<boolean>;
}

export interface SigningKeysOptions {
  readonly store: SigningKeyStore;
  readonly secretBox: SecretBox;
  /** Told of each stored key that does not open. Such a key neither signs nor verifies. */
  readonly onUnreadable: (kid: string, error: Error) => void;
  /** Least time between two reads that unknown key ids or a missing active key bring about, in ms. Default: 1000. */
  readonly reloadIntervalMs?: number;
}

interface Loaded {
  readonly at: number;
  readonly byId: ReadonlyMap<string, SigningKey>;
  readonly active: SigningKey | null;
}

/**
 * The keys that access tokens are signed with, read from the store when they are first needed. The first process that
 * finds no active key makes one; the store decides between two that do so at once.
 */
export class SigningKeys {
  readonly #options: SigningKeysOptions;
  readonly #reloadIntervalMs: number;
  #loaded: Loaded | null = null;
  #loading: Promise<Loaded> | null = null;

  constructor(options: SigningKeysOptions) {
    this.#options = options;
    this.#reloadIntervalMs = options.reloadIntervalMs ?? 1000;
  }

  /**
   * The key to sign with. Made and stored where there is none yet.
   *
   * @throws DatabaseUnavailable where no key was read yet and none can be; SecretUnreadable where the active key does
   *   not open.
   */
  async active(): Promise<SigningKey> {
    let loaded = this.#loaded ?? (await this.#load());
    if (loaded.active === null && this.#mayReload(loaded)) loaded = await this.#load();
    if (loaded.active === null) throw new SecretUnreadable('the active signing key does not open');
    return loaded.active;
  }

  /**
   * The key with this id; null where there is none. An id that is not known may be another replica's new key: the store
   * is asked again, at most once in the reload interval, so that made-up ids can't load the database.
   *
   * @throws DatabaseUnavailable where the store had to be asked and did not answer.
   */
  async find(kid: string): Promise<SigningKey | null> {
    let loaded = this.#loaded ?? (await this.#load());
    if (!loaded.byId.has(kid) && this.#mayReload(loaded)) loaded = await this.#load();
    return loaded.byId.get(kid) ?? null;
  }

  /** The public keys that tokens still in use may be signed with. */
  async jwks(): Promise<{ readonly keys: readonly PublicJwk[] }> {
    const { byId } = this.#loaded ?? (await this.#load());
    return { keys: [...byId.values()].map(({ publicJwk }) => publicJwk) };
  }

  #mayReload({ at }: Loaded): boolean {
    return performance.now() - at >= this.#reloadIntervalMs;
  }

  /** All who need the keys at once share one read. */
  #load(): Promise<Loaded> {
    this.#loading ??= this.#read().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  async #read(): Promise<Loaded> {
    const { store, secretBox } = this.#options;
    let stored = await store.list();
    if (!stored.some(({ status }) => status === 'active')) {
      // Whether this one or another replica's was taken: the store tells which one is active.
      await store.insertActive(await generateSigningKey(secretBox));
      stored = await store.list();
    }
    const byId = new Map<string, SigningKey>();
    let active: SigningKey | null = null;
    for (const row of stored) {
      const key = await this.#open(row);
      if (key === null) continue;
      byId.set(key.kid, key);
      if (row.status === 'active') active = key;
    }
    this.#loaded = { at: performance.now(), byId, active };
    return this.#loaded;
  }

  async #open(row: StoredSigningKey): Promise<SigningKey | null> {
    try {
      return await openSigningKey(row, this.#options.secretBox);
    } catch (error) {
      this.#options.onUnreadable(row.kid, error instanceof Error ? error : new Error('unreadable'));
      return null;
    }
  }
}
