import { hash } from 'node:crypto';
import type { PersonalPart } from '../personal-digest.ts';
import type { SecurityEvent } from '../security-event.ts';
import { canonicalJson } from './canonical-json.ts';
import { uuidBytes } from './uuid-bytes.ts';

/** Keeps the hash apart from any other use of SHA-256; its number changes with the encoding. */
const DOMAIN = Buffer.from('optix security event 1\0');
const ABSENT = Buffer.from([0]);

/** What the hash of a security event covers. */
export interface HashedEvent extends Omit<SecurityEvent, 'device'> {
  /** SHA-256 that stands for the personal part (see personalDigest); null on entries from before it was kept. */
  readonly personalHash: Buffer | null;
}

/** A security event as it is stored, with all that vouches for it. */
export interface ChainedEvent extends HashedEvent {
  readonly personal: PersonalPart;
  /** Null once the personal part was erased. */
  readonly personalSalt: Buffer | null;
}

/**
 * The hash of a security event: SHA-256 over the ASCII text `optix security event 1` and a zero byte, then these in this
 * order:
 *
 * 1. id: 16 bytes (RFC 9562 section 4)
 * 2. type: UTF-8, as the next two
 * 3. severity
 * 4. description
 * 5. user id: 16 bytes
 * 6. session id: 16 bytes
 * 7. metadata: canonical JSON (RFC 8785) in UTF-8
 * 8. time of creation: milliseconds since 1970 UTC, 64 bits, signed, big-endian; absent where it is no date, as
 *    PostgreSQL's `infinity`
 * 9. personal hash: 32 bytes
 *
 * each written as a zero byte where it is absent; else as a byte of one, its length in bytes (32 bits, big-endian) and
 * itself. So no two events have the same encoding.
 *
 * Neither in it are the personal columns, which a purge erases (the personal hash stands for them), nor the resolution,
 * which comes later (an event of its own records it).
 *
 * @throws TypeError where the metadata are not JSON
 */
export function eventHash(event: HashedEvent): Buffer {
  const fields = [
    uuidBytes(event.id),
    Buffer.from(event.type),
    Buffer.from(event.severity),
    Buffer.from(event.description),
    event.userId === null ? null : uuidBytes(event.userId),
    event.sessionId === null ? null : uuidBytes(event.sessionId),
    Buffer.from(canonicalJson(event.metadata)),
    milliseconds(event.createdAt),
    event.personalHash,
  ];
  const parts: Buffer[] = [DOMAIN];
  for (const field of fields) {
    if (field === null) parts.push(ABSENT);
    else parts.push(present(field.length), field);
  }
  return hash('sha256', Buffer.concat(parts), 'buffer');
}

function present(length: number): Buffer {
  const head = Buffer.alloc(5, 1);
  head.writeUInt32BE(length, 1);
  return head;
}

function milliseconds(time: Date): Buffer | null {
  if (Number.isNaN(time.getTime())) return null;
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(time.getTime()));
  return bytes;
}
