import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stackDirectory } from '../testing/stack-directory.ts';
import { CHECKOUT } from './checkout.ts';
import { COMMANDS } from './command-table.ts';

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
  { args: ['dance'], says: 'optix: there is no command "dance"; see optix help' },
  { args: ['user'], says: 'optix: there is no command "user"; did you mean users? See optix help' },
  { args: ['toString'], says: 'optix: there is no command "toString"; see optix help' },
  { args: ['help', 'dance'], says: 'optix: there is no command "dance"; see optix help' },
  {
    args: ['start', '--frech'],
    says: "optix: start: Unknown option '--frech' (did you mean --fresh?); see optix start --help",
  },
  { args: ['start', '--json'], says: "optix: start: Unknown option '--json'; see optix start --help" },
  {
    args: ['start', 'now'],
    says: 'optix: start: "now" is one argument too many; see optix start --help',
  },
  { args: ['start', '--data-dir'], says: "optix: start: Option '--data-dir <value>' argument missing" },
  { args: ['migrate', '--fresh'], says: "optix: migrate: Unknown option '--fresh'" },
  {
    args: ['\x1b[2J'],
    says: 'optix: there is no command "\\u{1b}[2J"; see optix help',
  },
])('optix $args is refused in one line on standard error', ({ args, says }) => {
  const { status, stdout, stderr } = optix(args);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^[^\n]+\n$/);
  expect(stderr).toContain(says);
});

test('optix alone is refused with the usage', () => {
  const { status, stdout, stderr } = optix([]);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^optix: which command\?\n\nUsage: optix <command>/);
});

test('optix --version tells the release', () => {
  const { version } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8'));
  expect(optix(['--version'])).toEqual({ status: 0, stdout: `optix ${version}\n`, stderr: '' });
});

test('optix help tells what a command or an action takes', () => {
  expect(optix(['help', 'users']).stdout).toMatch(/^Usage: optix users <action>/);
  expect(optix(['help', 'users', 'suspend']).stdout).toBe(optix(['users', 'suspend', '--help']).stdout);
});

test('every command is a line of the usage', () => {
  const { stdout } = optix(['help']);
  for (const name of Object.keys(COMMANDS)) expect(stdout).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(125);
});

test('what can not be written is told', () => {
  const full = openSync('/dev/full', 'w');
  const { status, stderr } = spawnSync(process.execPath, [join(CHECKOUT, 'bin', 'optix.ts'), 'help'], {
    encoding: 'utf8',
    stdio: ['ignore', full, 'pipe'],
  });
  closeSync(full);
  expect([status, stderr]).toEqual([1, "optix: can't write: ENOSPC\n"]);
});

test.each([['help'], ['--help'], ['-h']])('optix %s shows the usage', (flag) => {
  expect(optix([flag])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('Usage: optix'),
    stderr: '',
  });
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
