import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { isUuid } from '../uuid.ts';
import type { UserListing, UserPlace } from './user-directory.ts';

const MAC_BYTES = 16;
/** Changes with what tokens hold. */
const VERSION = 1;
/** Longer than any token: an address of 254 bytes, an id, and their wrapping. */
const MAX_CHARACTERS = 2_048;

/**
 * Page tokens of user lists: base64url of a MAC and of the last user's place. The MAC (HMAC-SHA-256 cut to 128 bits, RFC
 * 2104 section 5) is over the list's filter and order too, so that a token that was changed, made up, or is another
 * list's is none. Tokens are the same on every replica.
 */
export class PageTokens {
  readonly #keys: readonly Buffer[];

  /** @param encryptionKeys the primary one first; tokens of the others are read */
  constructor(encryptionKeys: readonly [Uint8Array, ...Uint8Array[]]) {
    this.#keys = encryptionKeys.map((key) =>
      Buffer.from(hkdfSync('sha256', key, '', 'optix.page-token.v1', 32)),
    );
  }

  write(listing: UserListing, { key, id }: UserPlace): string {
    const place = Buffer.from(JSON.stringify([VERSION, key, id]));
    const [primary] = this.#keys;
    if (primary === undefined) throw new Error('page tokens need a key');
    return Buffer.concat([macOf(primary, listing, place), place]).toString('base64url');
  }

  /** The place that a token of this list holds; undefined for a text that is none. */
  read(listing: UserListing, token: string): UserPlace | undefined {
    if (token.length > MAX_CHARACTERS) return undefined;
    const bytes = Buffer.from(token, 'base64url');
    // Base64 leaves out what is none; there is one spelling of a token.
    if (bytes.length <= MAC_BYTES || bytes.toString('base64url') !== token) return undefined;
    const mac = bytes.subarray(0, MAC_BYTES);
    const place = bytes.subarray(MAC_BYTES);
    if (!this.#keys.some((key) => timingSafeEqual(macOf(key, listing, place), mac))) return undefined;
    const [version, key, id] = JSON.parse(place.toString()) as unknown[];
    return version === VERSION && typeof key === 'string' && isUuid(id) ? { key, id } : undefined;
  }
}

function macOf(key: Uint8Array, listing: UserListing, place: Uint8Array): Buffer {
  const { filter, order, descending } = listing;
  // Written out, so that the order of properties does not depend on who made the filter.
  const list = JSON.stringify([
    order,
    descending,
    [...filter.statuses].sort(),
    filter.showDeleted,
    [...filter.roles].sort(),
    filter.emailVerified,
    filter.mfaEnabled,
    filter.createdFrom,
    filter.createdBefore,
    filter.prefix,
  ]);
  const hmac = createHmac('sha256', key)
    .update(`${Buffer.byteLength(list)}:${list}`)
    .update(place);
  return hmac.digest().subarray(0, MAC_BYTES);
}
