import { describe, expect, it } from 'vitest';
import { keySlot, tagIn } from './key-slot.ts';

describe('keySlot', () => {
  it.each([
    // The check value of CRC-16/XMODEM is 0x31C3.
    ['123456789', 0x31c3],
    ['foo', 12_182],
    ['ratelimit:api_default:{foo}', 12_182],
    ['{foo}{bar}', 12_182],
    // Of `{{bar}}zap` the tag is `{bar`, as the cluster specification has it.
    ['{{bar}}zap', keySlot('{bar')],
    ['', 0],
  ])('of %j is %i', (key, slot) => {
    expect(keySlot(key)).toBe(slot);
  });

  it('takes the whole key where nothing stands between the braces, or no brace ends', () => {
    expect(keySlot('foo{}{bar}')).not.toBe(keySlot('bar'));
    expect(keySlot('{foo')).not.toBe(keySlot('foo'));
  });

  it('finds a tag for a slot', () => {
    for (const slot of [0, 1, 8_191, 16_383]) expect(keySlot(`x{${tagIn(slot)}}y`)).toBe(slot);
  });
});
