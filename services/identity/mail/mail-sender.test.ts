import { expect, test } from 'vitest';
import { parseMailSender } from './mail-sender.ts';

test.each([
  ['no-reply@example.com', { name: '', address: 'no-reply@example.com' }],
  ['no-reply@localhost', { name: '', address: 'no-reply@localhost' }],
  ['<no-reply@example.com>', { name: '', address: 'no-reply@example.com' }],
  ['Optix, Inc. <no-reply@example.com>', { name: 'Optix, Inc.', address: 'no-reply@example.com' }],
])('%s', (text, sender) => {
  expect(parseMailSender(text)).toEqual(sender);
});

test.each([
  '',
  'Optix',
  'a@b@c',
  'Optix <nobody>',
  'a\nBcc: b <no-reply@example.com>',
  'a@example.com, b@example.com',
])('%j is none', (text) => {
  expect(() => parseMailSender(text)).toThrow(/^must be/);
});
