import type { StoredCallerKey } from './caller-key.ts';

/** How long a key that is no longer good is kept to be looked at, in milliseconds: 30 days. */
export const KEPT_AFTER_END_MS = 30 * 86_400_000;

/**
 * Where the keys are kept that CallerService makes. Each method is one step: it happens whole or not at all. Each throws
 * the store's own error, which the service maps to UNAVAILABLE, where the store can't be asked.
 */
export interface CallerKeyStore {
  /** A text that is another one after each change of the keys, the times of their use aside. */
  version(): Promise<string>;
  /** All keys, oldest first. */
  list(): Promise<readonly StoredCallerKey[]>;
  /**
   * Adds a key. Forgets those that ended more than {@link KEPT_AFTER_END_MS} ago.
   *
   * @throws CallerKeyExists
   */
  insert(key: StoredCallerKey): Promise<void>;
  /**
   * Adds a key and has another one expire.
   *
   * @param before the other one as it was read: where it is not so any more, nothing changes
   * @throws CallerKeyChanged, CallerKeyExists
   */
  replace(before: StoredCallerKey, expiresAt: Date, successor: StoredCallerKey): Promise<void>;
  /**
   * Revokes a key; one that is revoked stays as it is. Answers the key.
   *
   * @throws CallerKeyNotFound
   */
  revoke(id: string, at: Date): Promise<StoredCallerKey>;
  /** Notes when keys were used. Keys that are gone are left out, and no time goes back. */
  noteUse(uses: ReadonlyMap<string, Date>): Promise<void>;
}
