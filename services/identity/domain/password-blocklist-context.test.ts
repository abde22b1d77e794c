import { expect, test } from 'vitest';
import { restsOnOwner } from './password-blocklist-context.ts';

const ADA = { email: 'ada.lovelace1815@example.com', firstName: 'Ada', lastName: 'Lovelace' };

test.each([
  'ada.lovelace1815@example.com',
  'ADA.LOVELACE1815@EXAMPLE.COM',
  'ada.lovelace1815',
  'ada_lovelace_1815',
  // Derivatives: the address or name with other digits and signs around it.
  'ada.lovelace1',
  'adalovelace',
  'LovelaceAda!!',
  'lovelace',
  '123lovelace',
  'ada12345',
  'optix123',
  '!Optix!!!',
])('%j rests on what is known about its owner', (password) => {
  expect(restsOnOwner(password, ADA)).toBe(true);
});

test.each([
  // Words of the owner's beside others.
  'ada and charles',
  'countess lovelace',
  'optix is down',
  // So many digits are a password of their own.
  'ada73190462',
  '73190462',
  '!!!!!!!!',
  'gfkwyhzq',
])('%j does not', (password) => {
  expect(restsOnOwner(password, ADA)).toBe(false);
});

test('names of any script count, in any form of their characters', () => {
  expect(restsOnOwner('ju\u0308rgen-2026', { firstName: 'J\u00fcrgen' })).toBe(true);
  expect(restsOnOwner('\uff4a\u00dcrgen-2026', { firstName: 'J\u00fcrgen' })).toBe(true);
});

test.each([
  ['nothing is known', {}],
  ['all is empty', { email: '', firstName: '', lastName: '' }],
  ['an address has no local part', { email: '@' }],
  ['the names are digits', { email: '1@2.example', firstName: '3', lastName: '4' }],
])('where %s, only the name of the service counts', (_case, owner) => {
  expect(restsOnOwner('73190462', owner)).toBe(false);
  expect(restsOnOwner('correct horse', owner)).toBe(false);
  expect(restsOnOwner('optix2026', owner)).toBe(true);
});

test('what is too long to be a name is passed over at once', () => {
  const marks = '\u0301\u0323'.repeat(262_144);
  const from = performance.now();
  expect(restsOnOwner('correct horse', { email: marks, firstName: marks, lastName: marks })).toBe(false);
  expect(performance.now() - from).toBeLessThan(1000);
});
