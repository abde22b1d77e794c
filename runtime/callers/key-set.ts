import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';

/** The public keys of an issuer of service tokens. */
export interface KeySet {
  /** Goes up whenever the keys change. */
  readonly version: number;
  /** Finds the key for a token's header, for jose. */
  readonly find: JWTVerifyGetKey;
  /**
   * Asks for the keys anew, where they can change. False where they are still those of the version. Never rejects.
   */
  refresh(version: number): Promise<boolean>;
}

/** Keys that stand in the callers file, or in a file beside it: another state of the file makes another set. */
export class FixedKeySet implements KeySet {
  readonly version = 0;
  readonly find: JWTVerifyGetKey;

  constructor(keys: JSONWebKeySet) {
    this.find = createLocalJWKSet(keys);
  }

  async refresh(): Promise<boolean> {
    return false;
  }
}
