import { describe, expect, it } from 'vitest';
import { MAX_MESSAGE_KEYS, readRoomMessage, writeRoomMessage } from './room-message.ts';

describe('a room message', () => {
  it('is read as it was written', () => {
    const some = { by: 'a', keys: ['ratelimit:x:{user:1}', 'ü "{}'] };
    expect(readRoomMessage(writeRoomMessage(some))).toEqual(some);
    const all = { by: 'a', keys: undefined };
    expect(readRoomMessage(writeRoomMessage(all))).toEqual(all);
  });

  it.each([
    '',
    'text',
    '1',
    'null',
    '[]',
    '{}',
    '{"by":1,"keys":["k"]}',
    '{"by":"a"}',
    '{"by":"a","keys":"k"}',
    '{"by":"a","keys":[1]}',
    '{"by":"a","all":1}',
    JSON.stringify({ by: 'a', keys: new Array(MAX_MESSAGE_KEYS + 1).fill('k') }),
  ])('is nothing else: %.40s', (text) => {
    expect(readRoomMessage(text)).toBeUndefined();
  });
});
