import type { Uuid } from '../uuid.ts';

/** The 16 bytes that a UUID's text stands for (RFC 9562 section 4), as PostgreSQL's uuid_send() gives them. */
export function uuidBytes(id: Uuid): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}
