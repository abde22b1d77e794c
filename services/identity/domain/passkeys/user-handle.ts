import { isUuid, type Uuid } from '../uuid.ts';

/** The user handle that authenticators keep: the 16 bytes of the user's id, which tell nothing about the user. */
export function userHandleOf(userId: Uuid): Buffer {
  return Buffer.from(userId.replaceAll('-', ''), 'hex');
}

/** The user whom a handle belongs to; null for a handle that was never given out. */
export function userOfHandle(handle: Buffer): Uuid | null {
  const text = handle.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return isUuid(text) ? text : null;
}
