import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stackDirectory } from '../testing/stack-directory.ts';
import { lastLines, rotateLog, withLog } from './log-file.ts';

test('rotating keeps one log of the run before', () => {
  using directory = stackDirectory();
  const file = join(directory.path, 'a.log');
  rotateLog(file);
  for (const run of ['first', 'second']) {
    writeFileSync(file, run);
    rotateLog(file);
  }
  expect(readFileSync(`${file}.1`, 'utf8')).toBe('second');
});

test('the end of a log is its last lines, however long it is', () => {
  using directory = stackDirectory();
  const file = join(directory.path, 'a.log');
  const lines = Array.from({ length: 10_000 }, (_, index) => `line ${index}`);
  writeFileSync(file, `${lines.join('\n')}\n\n`);
  expect(lastLines(file, 2)).toEqual(['line 9998', 'line 9999']);
  expect(withLog('it ended', file)).toMatch(/^it ended; the last lines of .*a\.log:\n {4}line 9992\n/);
});

test('a log that is absent or empty is said to be empty', () => {
  expect(lastLines('/nonexistent/a.log')).toEqual([]);
  expect(withLog('it ended', '/nonexistent/a.log')).toBe('it ended (its log, /nonexistent/a.log, is empty)');
});
