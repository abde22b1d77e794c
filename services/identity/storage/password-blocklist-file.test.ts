import { hash as digest } from 'node:crypto';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PasswordBlocklistUnreadable } from '../domain/password-blocklist.ts';
import { normalizePassword, PasswordPolicy } from '../domain/password-policy.ts';
import { openPasswordBlocklist } from './password-blocklist-file.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'optix-blocklist-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function fileOf(name: string, content: string | Buffer): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

/** A list as the Have I Been Pwned downloader writes it. */
function breached(...passwords: string[]): string {
  const lines = passwords.map((password) => `${digest('sha1', password, 'hex').toUpperCase()}:3`);
  return `${lines.sort().join('\r\n')}\r\n`;
}

const has = (list: { has: (password: never) => Promise<boolean> }, password: string) =>
  list.has(normalizePassword(password) as never);

test('looks hashed passwords up as typed and in lower case', async () => {
  const path = await fileOf('hashed', breached('Tr0ub4dor&3', 'whale song 7', 'caf\u00e9 br\u00fbl\u00e9'));
  await using list = await openPasswordBlocklist(path);
  for (const password of ['Tr0ub4dor&3', 'whale song 7', 'Whale Song 7', 'cafe\u0301 bru\u0302le\u0301']) {
    expect(await has(list, password)).toBe(true);
  }
  // Of a digest in another case than the password was listed in nothing can be told.
  for (const password of ['tr0ub4dor&3', 'whale song 8']) expect(await has(list, password)).toBe(false);
});

test('looks plain passwords up in any case of letters', async () => {
  const path = await fileOf('plain', 'Acme-Rockets\r\nwhale song 7\n\nshort\ncaf\u00e9 br\u00fbl\u00e9');
  await using list = await openPasswordBlocklist(path);
  for (const password of ['acme-rockets', 'ACME-ROCKETS', 'Whale Song 7', 'cafe\u0301 bru\u0302le\u0301']) {
    expect(await has(list, password)).toBe(true);
  }
  for (const password of ['acme-rocket', 'whale song', 'acme-rockets ', '']) {
    expect(await has(list, password)).toBe(false);
  }
});

test('is what a policy refuses by', async () => {
  await using list = await openPasswordBlocklist(await fileOf('policy', breached('whale song 7')));
  const policy = new PasswordPolicy({ blocklists: [list] });
  expect(await policy.check('whale song 7', {})).toEqual({
    ok: false,
    reason: expect.stringContaining('common and breached passwords'),
  });
  expect(await policy.check('whale song 8', {})).toEqual({ ok: true, value: 'whale song 8' });
});

test.each([
  ['is empty', '', /holds no password of 8 characters or more$/],
  ['has only short lines', '123456\nqwerty\n', /holds no password of 8 characters or more$/],
  ['is not UTF-8', Buffer.from('caf\xe9 br\xfbl\xe9\n', 'latin1'), /is not UTF-8$/],
  ['is no text', Buffer.concat([Buffer.from('\x7fELF'), Buffer.alloc(100)]), /is not a text$/],
  ['holds NTLM digests', '32ED87BDB5FDC5E9CBA88547376818D4:123\n', /holds digests that are not SHA-1$/],
  [
    'is not sorted',
    breached('a', 'b', 'c', 'd').split('\r\n').reverse().slice(1).join('\n'),
    /is not sorted/,
  ],
  ['has other lines too', `${breached('whale song 7')}whale song 8\n`, /not a SHA-1 digest/],
])('a file that %s stops the start', async (_what, content, reason) => {
  const path = await fileOf('bad', content);
  await expect(openPasswordBlocklist(path)).rejects.toThrow(reason);
  await expect(openPasswordBlocklist(path)).rejects.toThrow(path);
});

test('a plain list that is too large for memory stops the start', async () => {
  const path = await fileOf('large', 'a plain password\n');
  await truncate(path, 16 * 1024 * 1024 + 1);
  await expect(openPasswordBlocklist(path)).rejects.toThrow(/must hold sorted SHA-1 digests/);
});

test('a file that is not there, or is a directory, stops the start', async () => {
  await expect(openPasswordBlocklist(join(directory, 'absent'))).rejects.toThrow(
    /absent can't be read: ENOENT$/,
  );
  await mkdir(join(directory, 'folder'));
  await expect(openPasswordBlocklist(join(directory, 'folder'))).rejects.toThrow(/folder is not a file$/);
});

test.each([
  ['overwritten', 'x'.repeat(50)],
  ['cut off', ''],
])('a list that was %s under way lets nothing pass, and says so', async (_what, content) => {
  const path = await fileOf('spoilt', breached('whale song 7'));
  await using list = await openPasswordBlocklist(path);
  await writeFile(path, content);
  await expect(has(list, 'whale song 8')).rejects.toThrow(PasswordBlocklistUnreadable);
});

test('a million hashes on disk are searched in a fraction of the time one hash of a password takes', async () => {
  const hashes = Array.from({ length: 1_000_000 }, (_, index) => digest('sha1', `breached ${index}`, 'hex'));
  const path = await fileOf('million', `${hashes.sort().join('\n').toUpperCase()}\n`);
  await using list = await openPasswordBlocklist(path);
  const from = performance.now();
  for (let index = 0; index < 1000; index += 1) {
    expect(await has(list, `breached ${index * 997}`)).toBe(true);
    expect(await has(list, `something else ${index}`)).toBe(false);
  }
  const eachMs = (performance.now() - from) / 2000;
  expect(eachMs).toBeLessThan(15);
});
