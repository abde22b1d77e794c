import type { RequestKey } from './idempotency.ts';
import type { Uuid } from './uuid.ts';

/** What a request with an id was answered. */
export interface AnsweredRequest {
  /** Of the request: see {@link RequestKey}. */
  readonly mac: Buffer;
  /** In JSON; null where it was forgotten with the user whom it was about. */
  readonly answer: unknown;
}

/** Requests with an id that were answered within the last 24 hours (https://google.aip.dev/155). */
export interface AnsweredRequests {
  /**
   * Takes a key for the transaction: null where it was free. Otherwise what was answered. Waits for another transaction
   * that has the key, until that one ends.
   */
  claim(key: RequestKey): Promise<AnsweredRequest | null>;
  /** Keeps the answer for the key that this transaction claimed. `userId`: whom it is about; it goes with them. */
  keep(key: RequestKey, answer: unknown, userId: Uuid | null): Promise<void>;
  /** Deletes up to `most` answers that are older than 24 hours. Returns how many. */
  deleteExpired(most: number): Promise<number>;
  /** Forgets the answers about a user. Their keys stay taken: a late retry must not make an erased user anew. */
  forgetUser(userId: Uuid): Promise<void>;
}
