import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stackDirectory } from '../testing/stack-directory.ts';
import { openDataDirectory } from './data-directory.ts';
import { processBirth } from './process-table.ts';
import { AlreadyRunning, acquireRunLock } from './run-lock.ts';

test('a second start on the same data is told which process runs there, and on what', () => {
  using directory = stackDirectory();
  const data = openDataDirectory(directory.path);
  using _lock = acquireRunLock(data, 'identity on ports 1 and 2');
  expect(() => acquireRunLock(data, 'other')).toThrow(AlreadyRunning);
  expect(() => acquireRunLock(data, 'other')).toThrow(
    `already running on ${data.path} (process ${process.pid}; identity on ports 1 and 2)`,
  );
});

test('the lock is free again after it was given back', () => {
  using directory = stackDirectory();
  const data = openDataDirectory(directory.path);
  acquireRunLock(data, 'first')[Symbol.dispose]();
  using _lock = acquireRunLock(data, 'second');
});

test('a lock is no obstacle once its process has ended, even where its id is in use again', () => {
  using directory = stackDirectory();
  const data = openDataDirectory(directory.path);
  const ended = spawnSync(process.execPath, ['--version']).pid;
  const stale = [
    JSON.stringify({ pid: ended, birth: 'boot:1', what: 'gone' }),
    JSON.stringify({ pid: process.pid, birth: 'boot:1', what: 'another process of this id' }),
    '{"pid":',
    '',
  ];
  for (const text of stale) {
    writeFileSync(join(data.run, 'lock'), text);
    using _lock = acquireRunLock(data, 'next');
  }
  expect(processBirth(ended)).toBeUndefined();
});
