import { createHmac, hkdfSync } from 'node:crypto';

/**
 * What accounts are told apart by where sign-ins to many of them are counted. Keyed: by a plain hash whoever reads the
 * database could try addresses.
 */
export class AccountTags {
  readonly #key: Uint8Array;

  /** @param encryptionKey 32 bytes, the same on every replica. Once it changes, an account counts anew. */
  constructor(encryptionKey: Uint8Array) {
    this.#key = new Uint8Array(hkdfSync('sha256', encryptionKey, '', 'optix.account-tag.v1', 32));
  }

  /** A tag of 63 bits, which PostgreSQL's bigint holds. Two of 32 accounts share one once in 10^16 times. */
  of(account: string): bigint {
    return createHmac('sha256', this.#key).update(account, 'utf8').digest().readBigUInt64BE() >> 1n;
  }
}
