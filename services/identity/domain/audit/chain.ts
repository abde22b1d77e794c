import { hash } from 'node:crypto';
import type { Uuid } from '../uuid.ts';
import { eventHash, type HashedEvent } from './event-hash.ts';
import { uuidBytes } from './uuid-bytes.ts';

/** Keeps the hash apart from any other use of SHA-256; its number changes with the encoding. */
const DOMAIN = Buffer.from('optix security event chain 1\0');
const HASH_BYTES = 32;

/** A place in the chain. Kept elsewhere, it is an anchor: the chain up to it can't be changed any more without notice. */
export interface ChainHead {
  /** From 1 on, without gaps; 0 before the first seal. */
  readonly sequence: bigint;
  /** SHA-256 over all that comes before, this included. */
  readonly chainHash: Buffer;
}

/** What fixes an event's content and its place in the order of the log. */
export interface Seal extends ChainHead {
  readonly eventId: Uuid;
  /** See {@link eventHash}. */
  readonly eventHash: Buffer;
  /** For people: no hash covers it. */
  readonly sealedAt: Date;
}

/** Before the first seal. */
export const GENESIS: ChainHead = { sequence: 0n, chainHash: Buffer.alloc(HASH_BYTES) };

/** What a seal adds to the chain. */
export type Link = Pick<Seal, 'sequence' | 'eventId' | 'eventHash'>;

/**
 * The hash of the chain up to a link: SHA-256 over
 *
 * - the ASCII text `optix security event chain 1` and a zero byte,
 * - the chain hash of the link before, 32 bytes; zeros before the first,
 * - the sequence number, 64 bits, big-endian,
 * - the event's id, 16 bytes (RFC 9562 section 4),
 * - the event's hash, 32 bytes.
 */
export function chainHash(previous: Buffer, link: Link): Buffer {
  const sequence = Buffer.alloc(8);
  sequence.writeBigInt64BE(link.sequence);
  const parts = [DOMAIN, previous, sequence, uuidBytes(link.eventId), link.eventHash];
  return hash('sha256', Buffer.concat(parts), 'buffer');
}

/** Seals an event behind `head`. */
export function sealNext(head: ChainHead, event: HashedEvent, sealedAt: Date): Seal {
  const link = { sequence: head.sequence + 1n, eventId: event.id, eventHash: eventHash(event) };
  return { ...link, chainHash: chainHash(head.chainHash, link), sealedAt };
}

/** Whether a seal is the one that comes after the chain hash `previous`. What was stored may be of any length. */
export function follows(previous: Buffer, seal: Seal): boolean {
  return seal.eventHash.length === HASH_BYTES && chainHash(previous, seal).equals(seal.chainHash);
}
