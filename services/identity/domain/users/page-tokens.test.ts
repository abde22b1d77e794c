import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Uuid } from '../uuid.ts';
import { PageTokens } from './page-tokens.ts';
import type { UserFilter, UserListing } from './user-directory.ts';

const FILTER: UserFilter = {
  statuses: ['active', 'suspended'],
  showDeleted: false,
  roles: ['user'],
  emailVerified: null,
  mfaEnabled: null,
  createdFrom: new Date(0),
  createdBefore: null,
  prefix: 'ad',
};
const LISTING: UserListing = { filter: FILTER, order: 'email', descending: false };
const PLACE = { key: 'ada@example.com', id: '0193b9a0-0000-7000-8000-000000000001' as Uuid };

const key = randomBytes(32);
const tokens = new PageTokens([key]);
const token = tokens.write(LISTING, PLACE);

test('holds the place, for every replica', () => {
  expect(new PageTokens([key]).read(LISTING, token)).toEqual(PLACE);
  expect(token).toMatch(/^[\w-]+$/);
});

test('the order in which a filter names its values does not matter', () => {
  const turned = { ...LISTING, filter: { ...FILTER, statuses: [...FILTER.statuses].reverse() } };
  expect(tokens.read(turned, token)).toEqual(PLACE);
});

const OTHERS: [string, UserListing][] = [
  ['order', { ...LISTING, order: 'last_name' }],
  ['direction', { ...LISTING, descending: true }],
  ['status', { ...LISTING, filter: { ...FILTER, statuses: ['active'] } }],
  ['show_deleted', { ...LISTING, filter: { ...FILTER, showDeleted: true } }],
  ['roles', { ...LISTING, filter: { ...FILTER, roles: [] } }],
  ['email_verified', { ...LISTING, filter: { ...FILTER, emailVerified: true } }],
  ['mfa_enabled', { ...LISTING, filter: { ...FILTER, mfaEnabled: false } }],
  ['created_from', { ...LISTING, filter: { ...FILTER, createdFrom: new Date(1) } }],
  ['created_before', { ...LISTING, filter: { ...FILTER, createdBefore: new Date(1) } }],
  ['prefix', { ...LISTING, filter: { ...FILTER, prefix: 'a' } }],
];
test.each(OTHERS)('is none of a list with another %s', (_, other) => {
  expect(tokens.read(other, token)).toBeUndefined();
});

test('with any one character changed, it is none', () => {
  for (let index = 0; index < token.length; index += 1) {
    const changed = token.slice(0, index) + (token[index] === 'A' ? 'B' : 'A') + token.slice(index + 1);
    expect(tokens.read(LISTING, changed)).toBeUndefined();
  }
});

test.each(['', 'x', '!!', `${token}A`, `${token}=`, token.slice(1), 'A'.repeat(100_000)])(
  'a text that was not given out is none (%#)',
  (text) => {
    expect(tokens.read(LISTING, text)).toBeUndefined();
  },
);

test('after a change of the key, old tokens are read while the old key is at hand', () => {
  const next = randomBytes(32);
  expect(new PageTokens([next, key]).read(LISTING, token)).toEqual(PLACE);
  expect(new PageTokens([next]).read(LISTING, token)).toBeUndefined();
});
