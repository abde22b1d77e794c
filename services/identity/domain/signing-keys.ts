import { SecretUnreadable } from './errors.ts';
import type { SecretBox } from './secret-box.ts';
import {
  generateSigningKey,
  openSigningKey,
  type PublicJwk,
  type SigningAlgorithm,
  type SigningKey,
  type StoredSigningKey,
} from './signing-key.ts';
import type { SigningKeyStore } from './signing-key-store.ts';

export interface SigningKeysOptions {
  readonly store: Pick<SigningKeyStore, 'list' | 'insert'>;
  readonly secretBox: SecretBox;
  /** Told of each stored key that does not open. Such a key neither signs nor verifies. */
  readonly onUnreadable: (kid: string, error: Error) => void;
  /** What the first key is made for; later ones are KeyRotation's. Default: EdDSA. */
  readonly algorithm?: SigningAlgorithm;
  /** Least time between two reads that unknown key ids or a missing active key bring about, in ms. Default: 1000. */
  readonly reloadIntervalMs?: number;
  /** Default: the system's clock. */
  readonly now?: () => Date;
}

interface Loaded {
  /** When the store was read (performance.now()). */
  readonly at: number;
  readonly byId: ReadonlyMap<string, SigningKey>;
  readonly active: SigningKey | null;
}

/**
 * The keys of this process: those that sign, verify and are published come from one reading of the store, so that what is
 * signed with is always among what this process publishes. The first process that finds no active key makes one; the
 * store decides between two that do so at once. KeyRotation has them read again from time to time.
 */
export class SigningKeys {
  readonly #options: SigningKeysOptions;
  readonly #reloadIntervalMs: number;
  #loaded: Loaded | null = null;
  #loading: Promise<Loaded> | null = null;
  /** Keys that were revoked. Ids are thumbprints and never come back, and there are few. */
  readonly #forgotten = new Set<string>();

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
    const known = loaded.byId.get(kid);
    if (known !== undefined) return known;
    if (this.#forgotten.has(kid) || !this.#mayReload(loaded)) return null;
    loaded = await this.#load();
    return loaded.byId.get(kid) ?? null;
  }

  /** The public keys that tokens still in use may be signed with, and the one that will sign next. */
  async jwks(): Promise<{ readonly keys: readonly PublicJwk[] }> {
    const { byId } = this.#loaded ?? (await this.#load());
    return { keys: [...byId.values()].map(({ publicJwk }) => publicJwk) };
  }

  /**
   * Reads the store again.
   *
   * @throws DatabaseUnavailable; the keys stay as they were.
   */
  async reload(): Promise<void> {
    // A reading that began before this call may not have what this call is about.
    await this.#loading?.catch(() => undefined);
    await this.#load();
  }

  /** Drops a key that was revoked, at once and for good. The next token to be signed has the store asked for the new one. */
  forget(kid: string): void {
    this.#forgotten.add(kid);
    if (this.#loaded === null) return;
    const byId = new Map(this.#loaded.byId);
    if (!byId.delete(kid)) return;
    const { active, at } = this.#loaded;
    this.#loaded =
      active?.kid === kid ? { at: Number.NEGATIVE_INFINITY, byId, active: null } : { at, byId, active };
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
    const { store } = this.#options;
    let stored = await store.list();
    if (!stored.some(({ status }) => status === 'active')) {
      // Whether this one or another replica's was taken: the store tells which one is active.
      await store.insert(await this.#first());
      stored = await store.list();
    }
    const opened = await Promise.all(stored.map(async (row) => await this.#open(row)));
    const byId = new Map<string, SigningKey>();
    let active: SigningKey | null = null;
    let at = performance.now();
    for (const [index, key] of opened.entries()) {
      if (key === null) continue;
      const isActive = stored[index]?.status === 'active';
      if (!this.#forgotten.has(key.kid)) {
        byId.set(key.kid, key);
        if (isActive) active = key;
      } else if (isActive) {
        // Revoked while this was read: the key that replaces it is to be looked for at once.
        at = Number.NEGATIVE_INFINITY;
      }
    }
    this.#loaded = { at, byId, active };
    return this.#loaded;
  }

  async #first(): Promise<StoredSigningKey> {
    const { secretBox, algorithm = 'EdDSA', now = () => new Date() } = this.#options;
    return await generateSigningKey(secretBox, { algorithm, status: 'active', at: now() });
  }

  async #open(row: StoredSigningKey): Promise<SigningKey | null> {
    const known = this.#loaded?.byId.get(row.kid);
    if (known !== undefined) return known;
    try {
      return await openSigningKey(row, this.#options.secretBox);
    } catch (error) {
      this.#options.onUnreadable(row.kid, error instanceof Error ? error : new Error('unreadable'));
      return null;
    }
  }
}
