import { expect, test } from 'vitest';
import { loadCommonPasswords } from './password-blocklist-common.ts';
import { normalizePassword } from './password-policy.ts';

const common = await loadCommonPasswords();

test.each(['password', 'qwertyuiop', 'trustno1', 'PASSWORD', 'abdominal'])('lists %j', async (password) => {
  expect(await common.has(normalizePassword(password))).toBe(true);
});

test.each(['correct horse battery', 'password of mine', 'passwor', ''])(
  'does not list %j',
  async (password) => {
    expect(await common.has(normalizePassword(password))).toBe(false);
  },
);
