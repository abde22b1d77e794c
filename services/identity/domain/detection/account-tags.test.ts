import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { AccountTags } from './account-tags.ts';

const tags = new AccountTags(Buffer.alloc(32, 1));

it('is the same on every replica, and fits a bigint of PostgreSQL', () => {
  expect(tags.of('ada@example.com')).toBe(new AccountTags(Buffer.alloc(32, 1)).of('ada@example.com'));
  for (let times = 0; times < 1000; times += 1) {
    const tag = tags.of(randomBytes(8).toString('hex'));
    expect(tag >= 0n && tag < 2n ** 63n).toBe(true);
  }
});

it('differs between accounts, and by the key', () => {
  const accounts = Array.from({ length: 1000 }, (_, count) => `user${count}@example.com`);
  expect(new Set(accounts.map((account) => tags.of(account))).size).toBe(1000);
  expect(new AccountTags(Buffer.alloc(32, 2)).of('ada@example.com')).not.toBe(tags.of('ada@example.com'));
});
