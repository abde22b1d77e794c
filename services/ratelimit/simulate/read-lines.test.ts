import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_LINE_CHARACTERS, openLog, UnreadableLog } from './read-lines.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'optix-read-lines-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

function file(content: string | Buffer): string {
  const path = join(directory, 'log');
  writeFileSync(path, content);
  return path;
}

async function linesOf(path: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const some of await openLog(path)) lines.push(...some);
  return lines;
}

describe('openLog', () => {
  it.each([
    ['', []],
    ['\n', ['']],
    ['a', ['a']],
    ['a\nb\n', ['a', 'b']],
    ['a\n\nb', ['a', '', 'b']],
  ])('reads the lines of %j, packed or not', async (content, lines) => {
    expect(await linesOf(file(content))).toEqual(lines);
    expect(await linesOf(file(gzipSync(content)))).toEqual(lines);
  });

  it('joins what chunks cut, also within a character', async () => {
    const lines = Array.from({ length: 100_000 }, (_, index) => `${index} ${'ä€😀'.repeat(index % 5)}`);
    expect(await linesOf(file(lines.join('\n')))).toEqual(lines);
  });

  it('reads packed files one after the other in one', async () => {
    expect(await linesOf(file(Buffer.concat([gzipSync('a\n'), gzipSync('b\n')])))).toEqual(['a', 'b']);
  });

  it('tells how far it is', async () => {
    const log = await openLog(file('a\n'.repeat(500_000)));
    expect(log).toMatchObject({ sizeBytes: 1_000_000, readBytes: 0 });
    const seen: number[] = [];
    for await (const _ of log) seen.push(log.readBytes);
    expect(seen.length).toBeGreaterThan(2);
    expect(seen.at(-1)).toBe(1_000_000);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  it('cuts a line off that has no end, and keeps the next', async () => {
    const [long = '', next] = await linesOf(file(`${'x'.repeat(3_000_000)}\nnext\n`));
    expect(long.length).toBeGreaterThan(MAX_LINE_CHARACTERS);
    expect(next).toBe('next');
  });

  it.each([
    ['a file that is not there', () => join(directory, 'missing'), /missing can't be read: ENOENT$/],
    ['a directory', () => directory, /is a directory$/],
    [
      'a packed file that ends too early',
      () => file(gzipSync('a'.repeat(1_000)).subarray(0, 20)),
      /is damaged, or ends too early/,
    ],
  ])('refuses %s', async (_, path, message) => {
    const error = await linesOf(path()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnreadableLog);
    expect((error as Error).message).toMatch(message);
  });
});
