import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createTestDatabase } from '../testing/database.ts';
import { stackDirectory } from '../testing/stack-directory.ts';
import { CHECKOUT } from './checkout.ts';

function optix(args: string[], env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(CHECKOUT, 'bin', 'optix.ts'), ...args],
    {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], ...env },
    },
  );
  return { status, stdout, stderr };
}

test.each([
  { args: [], says: 'optix: which command?' },
  { args: ['dance'], says: 'optix: there is no command "dance"' },
  { args: ['toString'], says: 'optix: there is no command "toString"' },
  { args: ['start', '--frech'], says: "optix: Unknown option '--frech'" },
  { args: ['start', 'now'], says: "optix: Unexpected argument 'now'" },
  { args: ['migrate', '--fresh'], says: "optix: Unknown option '--fresh'" },
])('optix $args is refused with the usage on standard error', ({ args, says }) => {
  const { status, stdout, stderr } = optix(args);
  expect(status).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain(says);
  expect(stderr).toContain('Usage: optix <command>');
});

test.each([['help'], ['--help'], ['-h']])('optix %s shows the usage', (flag) => {
  expect(optix([flag])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('Usage: optix'),
    stderr: '',
  });
});

test('migrate brings a database up to date, once', async () => {
  await using database = await createTestDatabase({ migrated: false });
  const first = optix(['migrate'], { DATABASE_URL: database.url });
  expect(first).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^applied Migration\d+/),
    stderr: '',
  });
  expect(optix(['migrate'], { DATABASE_URL: database.url }).stdout).toBe('the database is up to date\n');
});

test.each([
  { env: {}, says: /^optix: DATABASE_URL must be set/ },
  { env: { DATABASE_URL: 'postgres://nobody:hush@127.0.0.1:1/x' }, says: /^optix: / },
])('migrate without a database is one line of error, without secrets', ({ env, says }) => {
  const { status, stderr } = optix(['migrate'], env);
  expect(status).toBe(1);
  expect(stderr.trimEnd().split('\n')).toEqual([expect.stringMatching(says)]);
  expect(stderr).not.toContain('hush');
});

test('start refuses the embedded stores in production', () => {
  const { status, stderr } = optix(['start'], { ENVIRONMENT: 'production' });
  expect(status).toBe(1);
  expect(stderr).toMatch(/^optix: DATABASE_URL must be set when ENVIRONMENT=production/);
});

test.each([['--fresh'], []])("start leaves a directory alone that is somebody else's (%s)", (...flags) => {
  using directory = stackDirectory();
  const path = join(directory.path, 'mine');
  mkdirSync(path);
  writeFileSync(join(path, 'thesis.txt'), '');
  const { status, stderr } = optix(['start', '--data-dir', path, ...flags]);
  expect(status).toBe(1);
  expect(stderr).toBe(
    `optix: ${path} is not empty and was not made by optix: choose another data directory\n`,
  );
  expect(readdirSync(path)).toEqual(['thesis.txt']);
});
