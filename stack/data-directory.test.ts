import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { stackDirectory } from '../testing/stack-directory.ts';
import { clearDataDirectory, defaultDataDirectory, keptSecret, openDataDirectory } from './data-directory.ts';

const asRoot = process.getuid?.() === 0;

test("a directory that holds somebody else's files is refused, and left as it was", () => {
  using directory = stackDirectory();
  writeFileSync(join(directory.path, 'thesis.txt'), 'years of work');
  expect(() => openDataDirectory(directory.path)).toThrow(/is not empty and was not made by optix/);
  expect(readdirSync(directory.path)).toEqual(['thesis.txt']);
});

test('clearing deletes what the stack keeps, and nothing else', () => {
  using directory = stackDirectory();
  const data = openDataDirectory(join(directory.path, 'new', 'data'));
  mkdirSync(data.postgres);
  for (const path of [data.postgres, data.redis, data.logs]) writeFileSync(join(path, 'kept'), '');
  writeFileSync(join(data.path, 'notes.txt'), 'mine');
  const secret = keptSecret(data, 'KEY');

  clearDataDirectory(data);
  expect(existsSync(data.postgres)).toBe(false);
  expect([...readdirSync(data.redis), ...readdirSync(data.logs)]).toEqual([]);
  expect(existsSync(join(data.path, 'notes.txt'))).toBe(true);
  expect(keptSecret(data, 'KEY')).not.toBe(secret);
});

test('a secret is 32 bytes in base64, stays the same, and only its owner can read it', () => {
  using directory = stackDirectory();
  const data = openDataDirectory(directory.path);
  const secret = keptSecret(data, 'KEY');
  expect(Buffer.from(secret, 'base64')).toHaveLength(32);
  expect(keptSecret(data, 'KEY')).toBe(secret);
  expect(keptSecret(data, 'OTHER')).not.toBe(secret);
  expect(statSync(join(data.path, 'secrets', 'KEY')).mode & 0o777).toBe(0o600);
});

describe.runIf(asRoot)('as root', () => {
  test('each checkout has its data under /var/lib', () => {
    expect(defaultDataDirectory('/srv/optix')).toMatch(/^\/var\/lib\/optix\/[0-9a-f]{8}$/);
    expect(defaultDataDirectory('/srv/optix')).not.toBe(defaultDataDirectory('/srv/other'));
  });

  test("a place that PostgreSQL's user can't get to is refused by name", () => {
    using directory = stackDirectory();
    const closed = join(directory.path, 'closed');
    mkdirSync(closed);
    chmodSync(closed, 0o700);
    expect(() => openDataDirectory(join(closed, 'data'))).toThrow(
      `may not enter ${closed} on the way to ${join(closed, 'data')}`,
    );
  });
});

describe.skipIf(asRoot)('as a user', () => {
  test('the data lies in the checkout', () => {
    expect(defaultDataDirectory('/srv/optix')).toBe('/srv/optix/.optix');
  });
});
