import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { unifiedDiff } from './unified-diff.ts';

/** The second text, made of the first and the difference. */
function patched(before: string, diff: string): string {
  const source = before === '' ? [] : before.replace(/\n$/, '').split('\n');
  const result: string[] = [];
  let at = 0;
  for (const line of diff === '' ? [] : diff.split('\n')) {
    const range = /^@@ -(\d+),(\d+) \+(\d+),(\d+) @@$/.exec(line);
    if (range !== null) {
      const start = Number(range[1]) - (range[2] === '0' ? 0 : 1);
      while (at < start) result.push(source[at++] as string);
      expect(result).toHaveLength(Number(range[3]) - (range[4] === '0' ? 0 : 1));
    } else if (line.startsWith('+')) result.push(line.slice(1));
    else {
      expect(source[at]).toBe(line.slice(1));
      if (line.startsWith(' ')) result.push(line.slice(1));
      at += 1;
    }
  }
  return [...result, ...source.slice(at)].map((line) => `${line}\n`).join('');
}

const text = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 40 })
  .map((lines) => lines.map((line) => `${line}\n`).join(''));

test('turns any text into any other, and is empty for equal ones', () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      expect(patched(before, unifiedDiff(before, after))).toBe(after);
      expect(unifiedDiff(before, before)).toBe('');
    }),
  );
});

test('is no longer than what diff finds', () => {
  const directory = mkdtempSync(join(tmpdir(), 'optix-diff-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const changes = (diff: string) => diff.split('\n').filter((line) => /^[-+](?![-+]{2} )/.test(line)).length;
  fc.assert(
    fc.property(text, text, (before, after) => {
      const files = [join(directory, 'a'), join(directory, 'b')];
      writeFileSync(files[0] as string, before);
      writeFileSync(files[1] as string, after);
      const { stdout } = spawnSync('diff', ['-u', '-d', ...files], { encoding: 'utf8' });
      expect(changes(unifiedDiff(before, after))).toBe(changes(stdout));
    }),
    { numRuns: 40 },
  );
});

test('shows three lines around a change', () => {
  const before = '1\n2\n3\n4\n5\n6\n7\n8\n9\n';
  expect(unifiedDiff(before, before.replace('5', 'five'))).toBe(
    '@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8',
  );
});

test('takes what differs all over as replaced, at once', () => {
  const many = (prefix: string) => Array.from({ length: 20_000 }, (_, n) => `${prefix}${n}\n`).join('');
  expect(patched(many('a'), unifiedDiff(many('a'), many('b')))).toBe(many('b'));
});
