import { describe, expect, it } from 'vitest';
import { newDevice } from './new-device.ts';
import { device, NOW, past, places } from './testing-sign-ins.ts';

type Parts = Parameters<typeof device>[0];

function found(now: Parts, ...history: Parts[]) {
  const signIn = { device: device(now), at: NOW, places };
  return newDevice({ ...signIn, history: history.map((parts, index) => past(index + 1, parts)) });
}

describe('a new device', () => {
  it.each([
    ['another id', { id: 'b' }, { id: 'a' }],
    ['another fingerprint', { fingerprint: 'g' }, { fingerprint: 'f' }],
    ['neither of both', { id: 'b', fingerprint: 'g' }, { id: 'a', fingerprint: 'f' }],
    ['an id where only fingerprints are known', { id: 'b' }, { fingerprint: 'f' }],
    ['an id where none was ever named', { id: 'b' }, {}],
    ['an id that is the fingerprint of another one', { id: 'f' }, { fingerprint: 'f' }],
  ])('is one with %s', (_, now, before) => {
    expect(found(now, before)).toEqual({
      rule: 'new_device',
      severity: 'low',
      description: 'A user signed in from a device not seen before.',
      metadata: { past_sign_ins: 1 },
    });
  });

  it.each<[what: string, now: Parts, ...before: Parts[]]>([
    ['the first sign-in', { id: 'a', fingerprint: 'f' }],
    ['a sign-in that names no device', {}, { id: 'a', fingerprint: 'f' }],
    [
      'the same id, whatever became of its fingerprint',
      { id: 'a', fingerprint: 'g' },
      { id: 'a', fingerprint: 'f' },
    ],
    [
      'the same fingerprint, whatever became of its id',
      { id: 'b', fingerprint: 'f' },
      { id: 'a', fingerprint: 'f' },
    ],
    ['one that was seen long ago', { id: 'a' }, { id: 'c' }, { id: 'b' }, { id: 'a' }],
  ])('is not %s', (_, now, ...before) => {
    expect(found(now, ...before)).toBeNull();
  });
});
