import { expect, test } from 'vitest';
import { parsePhone } from './phone.ts';

test.each(['+4915112345678', '+12025550123', '+2901234', '+123456789012345'])('accepts %s', (text) => {
  expect(parsePhone(text)).toEqual({ ok: true, value: text });
});

test.each([
  '',
  '015112345678',
  '+0151123456',
  '+49 151 12345',
  '+1234567890123456',
  '+123456',
  '+49151a',
  '+4915112345678\n',
])('refuses %j', (text) => {
  expect(parsePhone(text).ok).toBe(false);
});
