import type { Uuid } from '../uuid.ts';

/** Recovery codes in a transaction. Each method throws DatabaseUnavailable. */
export interface RecoveryCodes {
  /** Replaces all codes of a user, used ones too. The caller holds the user's row: two would not see each other. */
  replace(set: {
    readonly userId: Uuid;
    readonly hashes: readonly Buffer[];
    readonly at: Date;
  }): Promise<void>;
  /** Uses a code up: of any number of calls at once one is told how many are left, the others null. */
  use(use: { readonly userId: Uuid; readonly hash: Buffer; readonly at: Date }): Promise<number | null>;
  removeAll(userId: Uuid): Promise<void>;
}
