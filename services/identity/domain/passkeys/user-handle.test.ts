import { expect, it } from 'vitest';
import type { Uuid } from '../uuid.ts';
import { userHandleOf, userOfHandle } from './user-handle.ts';

const userId = '0198f2c4-7d3a-7c11-8f0e-2b6a9d4e5f10' as Uuid;

it('is the 16 bytes of the id, and leads back to it', () => {
  const handle = userHandleOf(userId);
  expect(handle.toString('hex')).toBe('0198f2c47d3a7c118f0e2b6a9d4e5f10');
  expect(userOfHandle(handle)).toBe(userId);
});

it.each([0, 15, 17, 64])('of %i bytes belongs to nobody', (bytes) => {
  expect(userOfHandle(Buffer.alloc(bytes, 7))).toBeNull();
});
