import { expect, test } from 'vitest';
import { parseDevice, type RawDevice } from './device.ts';

const UNKNOWN: RawDevice = { id: '', fingerprint: '', name: '', ipAddress: '', userAgent: '' };

test('an empty text is an unknown part', () => {
  expect(parseDevice(UNKNOWN)).toEqual({
    ok: true,
    value: { id: null, fingerprint: null, name: null, ipAddress: null, userAgent: null },
  });
});

test('takes every part up to its bound, in bytes', () => {
  const full = {
    id: 'i'.repeat(128),
    fingerprint: 'f'.repeat(256),
    name: '\u00e9'.repeat(64),
    ipAddress: '2001:DB8::1',
    userAgent: 'u'.repeat(512),
  };
  expect(parseDevice(full)).toEqual({ ok: true, value: { ...full, ipAddress: '2001:db8::1' } });
});

test('tells all that is wrong at once', () => {
  const wrong = {
    id: 'i'.repeat(129),
    fingerprint: 'f\u0000',
    name: '\u00e9'.repeat(65),
    ipAddress: 'here',
    userAgent: 'a\r\nb',
  };
  const parsed = parseDevice(wrong);
  if (parsed.ok) throw new Error('the device was accepted');
  expect(parsed.problems.map(({ field }) => field).sort()).toEqual(Object.keys(wrong).sort());
});
