import type { Uuid } from '../uuid.ts';

/** The user handle that authenticators keep: the 16 bytes of the user's id, which tell nothing about the user. */
export function userHandleOf(userId: Uuid): Buffer {
  return Buffer.from(userId.replaceAll('-', ''), 'hex');
}
