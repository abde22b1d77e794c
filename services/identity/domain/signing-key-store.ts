import type { SigningKeyFacts, StoredSigningKey } from './signing-key.ts';

/** What is read from the signing keys outside a transaction. Throws DatabaseUnavailable. */
export interface SigningKeyReads {
  /** All keys, oldest first. */
  list(): Promise<StoredSigningKey[]>;
}

/** Where signing keys are kept. Every method throws DatabaseUnavailable. */
export interface SigningKeyStore extends SigningKeyReads {
  /** Adds a key. False, and nothing added, where there is one of its status already. */
  insert(key: StoredSigningKey): Promise<boolean>;
  /**
   * Makes all others who change keys wait until this transaction has ended: what it lists afterwards is what it changes.
   * Only within a transaction.
   */
  lock(): Promise<void>;
  /** The active key signs no more, from `at` on. */
  retireActive(at: Date): Promise<void>;
  /** The next key signs from `at` on. The active one must have been retired or deleted before. */
  activateNext(at: Date): Promise<void>;
  /** False where there is no such key. */
  delete(kid: string): Promise<boolean>;
  /** Deletes keys that were retired before `before`. */
  deleteRetired(before: Date): Promise<void>;
}

/** Facts in the order they are told in: next, active, then retired ones, newest first. */
export function inOrder(keys: readonly StoredSigningKey[]): SigningKeyFacts[] {
  const rank = { next: 0, active: 1, retired: 2 } as const;
  return keys
    .map(({ kid, algorithm, status, createdAt, activatedAt, retiredAt }) => ({
      ...{ kid, algorithm, status },
      ...{ createdAt, activatedAt, retiredAt },
    }))
    .sort(
      (a, b) =>
        rank[a.status] - rank[b.status] ||
        b.createdAt.getTime() - a.createdAt.getTime() ||
        (a.kid < b.kid ? -1 : 1),
    );
}
