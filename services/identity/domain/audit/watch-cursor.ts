import type { ChainHead } from './chain.ts';
import type { WatchStart } from './watch-security-events.ts';

const FORM = /^(0|[1-9]\d{0,18})\.([0-9a-f]{32})$/;
/** PostgreSQL's bigint ends here. */
const LAST_SEQUENCE = 2n ** 63n - 1n;
/** Enough to tell another chain, as a restored database may have one, from this one. */
const HASH_BYTES = 16;

/** A place in the form that watchers keep: opaque to them. */
export function writeWatchCursor({ sequence, chainHash }: ChainHead): string {
  const hash = chainHash.subarray(0, HASH_BYTES).toString('hex');
  return Buffer.from(`${sequence}.${hash}`).toString('base64url');
}

/** Undefined for a text that is no cursor. */
export function readWatchCursor(text: string): WatchStart | undefined {
  const plain = Buffer.from(text, 'base64url').toString('latin1');
  const [, sequence, hash] = FORM.exec(plain) ?? [];
  if (sequence === undefined || hash === undefined || BigInt(sequence) > LAST_SEQUENCE) return undefined;
  // Base64 leaves out what is none; there is one spelling of a cursor.
  if (Buffer.from(plain).toString('base64url') !== text) return undefined;
  return { sequence: BigInt(sequence), hash: Buffer.from(hash, 'hex') };
}
