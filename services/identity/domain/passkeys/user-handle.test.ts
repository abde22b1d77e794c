import { expect, it } from 'vitest';
import type { Uuid } from '../uuid.ts';
import { userHandleOf } from './user-handle.ts';

const userId = '0198f2c4-7d3a-7c11-8f0e-2b6a9d4e5f10' as Uuid;

it('is the 16 bytes of the id', () => {
  expect(userHandleOf(userId).toString('hex')).toBe('0198f2c47d3a7c118f0e2b6a9d4e5f10');
});
