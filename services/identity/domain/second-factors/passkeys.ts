import type { Passkey } from '../passkeys/passkey.ts';
import type { Uuid } from '../uuid.ts';

/** Passkeys in a transaction. Each method throws DatabaseUnavailable. */
export interface Passkeys {
  /** False, and nothing written, where somebody has this credential id already. The caller holds the user's row. */
  insert(passkey: Passkey): Promise<boolean>;
  /** Oldest first. */
  listByUser(userId: Uuid): Promise<Passkey[]>;
  findByCredentialId(credentialId: Buffer): Promise<Passkey | null>;
  /**
   * Writes down a use, where the count is still the one that the assertion was checked against. False, and nothing
   * written, where another use came between.
   */
  recordUse(use: {
    readonly id: Uuid;
    readonly checkedSignCount: number;
    readonly signCount: number;
    readonly backedUp: boolean;
    readonly at: Date;
  }): Promise<boolean>;
  /** Null where the user has no such passkey. */
  rename(change: {
    readonly id: Uuid;
    readonly userId: Uuid;
    readonly name: string | null;
  }): Promise<Passkey | null>;
  /** False where the user has no such passkey. */
  remove(id: Uuid, userId: Uuid): Promise<boolean>;
  /** @returns how many there were. */
  removeAll(userId: Uuid): Promise<number>;
}
