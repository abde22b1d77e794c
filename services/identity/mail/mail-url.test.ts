import { expect, test } from 'vitest';
import { parseMailUrl } from './mail-url.ts';

const LOGIN = { user: 'optix', password: 'p@ss/word' };

test.each([
  ['smtp://mail.example', { host: 'mail.example', port: 587, tls: 'starttls', login: null }],
  ['smtp://optix:p%40ss%2Fword@mail.example:25', { port: 25, tls: 'starttls', login: LOGIN }],
  ['smtps://optix:p%40ss%2Fword@mail.example', { port: 465, tls: 'implicit', login: LOGIN }],
  ['smtp://127.0.0.1:2525', { host: '127.0.0.1', port: 2525, tls: 'none' }],
  ['smtp://[::1]:2525/', { host: '::1', tls: 'none' }],
  ['smtp://localhost:2525', { tls: 'none' }],
  ['smtp://127.example.com', { tls: 'starttls' }],
  ['file:///var/mails', { kind: 'file', directory: '/var/mails' }],
])('%s', (text, target) => {
  expect(parseMailUrl(text)).toMatchObject(target);
});

test.each([
  '',
  'mail.example:25',
  'http://mail.example',
  'smtp://',
  'smtp://mail.example/path',
  'smtp://mail.example?tls=off',
  'smtp://optix@mail.example',
  'file://host/var/mails',
  'file:///',
  'smtp://mail.example:99999',
])('%j is none, and is not repeated', (text) => {
  expect(() => parseMailUrl(text)).toThrow(/^must (be|have|end)/);
});
