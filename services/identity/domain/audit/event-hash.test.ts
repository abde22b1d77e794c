import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Uuid } from '../uuid.ts';
import { eventHash, type HashedEvent } from './event-hash.ts';

const full: HashedEvent = {
  id: '01935a6c-0000-7000-8000-0000000000a1' as Uuid,
  type: 'login_succeeded',
  severity: 'info',
  description: 'Käthe signed in.',
  userId: '01935a6c-0000-7000-8000-0000000000b2' as Uuid,
  sessionId: '01935a6c-0000-7000-8000-0000000000c3' as Uuid,
  metadata: { method: 'password', attempts: 2 },
  createdAt: new Date('2026-11-22T12:34:56.789Z'),
  personalHash: Buffer.alloc(32, 0xee),
};

/** The same event, encoded by hand. */
const encoded = [
  Buffer.from('optix security event 1\0'),
  Buffer.from('010000001001935a6c0000700080000000000000a1', 'hex'),
  Buffer.from('\x01\0\0\0\x0flogin_succeeded'),
  Buffer.from('\x01\0\0\0\x04info'),
  Buffer.from('\x01\0\0\0\x11Käthe signed in.'),
  Buffer.from('010000001001935a6c0000700080000000000000b2', 'hex'),
  Buffer.from('010000001001935a6c0000700080000000000000c3', 'hex'),
  Buffer.from('\x01\0\0\0\x22{"attempts":2,"method":"password"}'),
  Buffer.from('0100000008', 'hex'),
  Buffer.from([0x00, 0x00, 0x01, 0xa2, 0x03, 0x40, 0xa0, 0x95]),
  Buffer.from(`0100000020${'ee'.repeat(32)}`, 'hex'),
];

test('is the hash of the encoding that is documented', () => {
  expect(eventHash(full)).toEqual(createHash('sha256').update(Buffer.concat(encoded)).digest());
  expect(eventHash(full).toString('hex')).toBe(
    '8ba72b5c2162b2c6e2ad8370819752741f339216710fc4b9a2f12b983ee564d7',
  );
});

test('has a byte of zero for what is absent', () => {
  const event = {
    ...full,
    userId: null,
    sessionId: null,
    personalHash: null,
    createdAt: new Date(Number.NaN),
  };
  const absent = encoded.map((part, index) => ([5, 6, 8, 10].includes(index) ? Buffer.from([0]) : part));
  const expected = createHash('sha256')
    .update(Buffer.concat(absent.toSpliced(9, 1)))
    .digest();
  expect(eventHash(event)).toEqual(expected);
});

test('differs with every field, and with where a text ends', () => {
  const other = '01935a6c-0000-7000-8000-0000000000d4' as Uuid;
  const events: HashedEvent[] = [
    full,
    { ...full, id: other },
    { ...full, type: 'login_succeededi', severity: 'info' },
    { ...full, type: 'login_failed' },
    { ...full, severity: 'low' },
    { ...full, description: '' },
    { ...full, description: 'Käthe signed in' },
    { ...full, userId: null },
    { ...full, userId: other },
    { ...full, userId: full.sessionId, sessionId: full.userId },
    { ...full, sessionId: null },
    { ...full, metadata: {} },
    { ...full, metadata: { method: 'password', attempts: '2' } },
    { ...full, createdAt: new Date(full.createdAt.getTime() + 1) },
    { ...full, createdAt: new Date(-full.createdAt.getTime()) },
    { ...full, personalHash: null },
    { ...full, personalHash: Buffer.alloc(32) },
  ];
  expect(new Set(events.map((event) => eventHash(event).toString('hex'))).size).toBe(events.length);
});

test('does not differ with the order of the metadata', () => {
  expect(eventHash({ ...full, metadata: { attempts: 2, method: 'password' } })).toEqual(eventHash(full));
});
