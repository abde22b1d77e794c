import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Uuid } from '../uuid.ts';
import { chainHash, follows, GENESIS, sealNext } from './chain.ts';
import { eventHash, type HashedEvent } from './event-hash.ts';

const event: HashedEvent = {
  id: '01935a6c-0000-7000-8000-0000000000a1' as Uuid,
  type: 'login_failed',
  severity: 'low',
  description: 'Somebody failed to sign in.',
  userId: null,
  sessionId: null,
  metadata: {},
  createdAt: new Date(1_000),
  personalHash: null,
};
const sealedAt = new Date(2_000);

test('the chain hash is that of the encoding that is documented', () => {
  const first = sealNext(GENESIS, event, sealedAt);
  const id = Buffer.from('01935a6c0000700080000000000000a1', 'hex');
  const expected = (previous: Buffer, sequence: number) =>
    createHash('sha256')
      .update('optix security event chain 1\0')
      .update(previous)
      .update(Buffer.from([0, 0, 0, 0, 0, 0, 0, sequence]))
      .update(id)
      .update(eventHash(event))
      .digest();
  expect(first).toEqual({
    sequence: 1n,
    eventId: event.id,
    eventHash: eventHash(event),
    chainHash: expected(Buffer.alloc(32), 1),
    sealedAt,
  });
  expect(sealNext(first, event, sealedAt).chainHash).toEqual(expected(first.chainHash, 2));
});

test('a seal follows from the chain hash before it alone', () => {
  const first = sealNext(GENESIS, event, sealedAt);
  const second = sealNext(first, event, sealedAt);
  expect(follows(GENESIS.chainHash, first)).toBe(true);
  expect(follows(first.chainHash, second)).toBe(true);
  expect(follows(GENESIS.chainHash, second)).toBe(false);
  expect(follows(first.chainHash, { ...second, sequence: 3n })).toBe(false);
  expect(follows(second.chainHash, first)).toBe(false);
});

test('a seal with a hash of the wrong length follows from nothing', () => {
  const short = { ...sealNext(GENESIS, event, sealedAt), eventHash: Buffer.alloc(31) };
  const seal = { ...short, chainHash: chainHash(GENESIS.chainHash, short) };
  expect(follows(GENESIS.chainHash, seal)).toBe(false);
});
