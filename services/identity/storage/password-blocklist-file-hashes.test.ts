import { hash as digest } from 'node:crypto';
import { expect, test } from 'vitest';
import { type ByteSource, SortedHashes } from './password-blocklist-file-hashes.ts';

/** A text as a source, with the reads that were made counted. */
class CountedText implements ByteSource {
  readonly #bytes: Buffer;
  reads = 0;
  bytesRead = 0;

  constructor(text: string) {
    this.#bytes = Buffer.from(text);
  }

  get size(): number {
    return this.#bytes.length;
  }

  async read(position: number, length: number): Promise<Buffer> {
    const read = this.#bytes.subarray(position, position + length);
    this.reads += 1;
    this.bytesRead += read.length;
    return read;
  }
}

/** Digests of so many passwords, sorted. */
function digests(count: number): string[] {
  return Array.from({ length: count }, (_, index) => digest('sha1', `password ${index}`, 'hex')).sort();
}

const THOUSAND = digests(1000);

test.each([
  ['upper case, counts and CRLF', (hash: string, index: number) => `${hash.toUpperCase()}:${index ** 3}\r\n`],
  ['upper case and counts', (hash: string, index: number) => `${hash.toUpperCase()}:${index}\n`],
  ['lower case', (hash: string) => `${hash}\n`],
])('finds every line of a list, and no other, in %s', async (_form, line) => {
  for (const ending of ['', '\n']) {
    const text = THOUSAND.map(line).join('').trimEnd() + ending;
    const source = new CountedText(text);
    const list = new SortedHashes(source);
    expect(await SortedHashes.looksLike(source)).toBe(true);
    expect(await list.problem()).toBeNull();
    for (const hash of THOUSAND) expect(await list.has(hash)).toBe(true);
    for (const hash of THOUSAND) {
      const neighbour = `${hash.slice(0, -1)}${hash.endsWith('0') ? '1' : '0'}`;
      expect(await list.has(neighbour)).toBe(false);
    }
    expect(await list.has('0'.repeat(40))).toBe(false);
    expect(await list.has('f'.repeat(40))).toBe(false);
  }
});

test.each(Array.from({ length: 45 }, (_, index) => index))(
  'finds the last lines whatever the size: %i bytes before them',
  async (shift) => {
    // Counts of other lengths move the borders of the blocks across the lines.
    const lines = THOUSAND.slice(0, 200).map((hash, index) => `${hash}:${'1'.repeat(index < shift ? 2 : 1)}`);
    const list = new SortedHashes(new CountedText(lines.join('\n')));
    for (const hash of THOUSAND.slice(0, 200)) expect(await list.has(hash)).toBe(true);
    expect(await list.has(THOUSAND[200] ?? '')).toBe(false);
  },
);

test('a list of one line', async () => {
  const [only = '', other = ''] = THOUSAND;
  const list = new SortedHashes(new CountedText(only));
  expect(await list.problem()).toBeNull();
  expect(await list.has(only)).toBe(true);
  expect(await list.has(other)).toBe(false);
});

test('a million digests are searched with 14 reads of a block, and nothing is kept', async () => {
  const million = digests(1_000_000);
  const source = new CountedText(million.map((hash) => `${hash}:1\n`).join(''));
  const list = new SortedHashes(source);
  expect(await list.problem()).toBeNull();
  // 10,499 blocks, halved 14 times.
  const most = Math.ceil(Math.log2(source.size / 4096)) + 1;
  for (let sample = 0; sample < 2000; sample += 1) {
    source.reads = 0;
    source.bytesRead = 0;
    expect(await list.has(million[(sample * 7919) % million.length] ?? '')).toBe(true);
    expect(source.reads).toBeLessThanOrEqual(most);
    expect(source.bytesRead).toBeLessThanOrEqual(most * 4200);
  }
  for (let sample = 0; sample < 2000; sample += 1) {
    source.reads = 0;
    expect(await list.has(digest('sha1', `another ${sample}`, 'hex'))).toBe(false);
    expect(source.reads).toBeLessThanOrEqual(most);
  }
});

test('a list in another order, as by count, is told at once', async () => {
  const byCount = digests(2000).sort((a, b) => (a.slice(20) < b.slice(20) ? -1 : 1));
  const list = new SortedHashes(new CountedText(byCount.join('\n')));
  expect(await list.problem()).toMatch(/^is not sorted by hash near byte \d+$/);
});

test.each([
  ['another text', 'and then a line of prose'],
  ['a cut digest', '5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD'],
  ['an empty line', ''],
  ['a line without an end', 'A'.repeat(10_000)],
])('a list with %s in it is told', async (_what, line) => {
  const list = new SortedHashes(
    new CountedText([...THOUSAND.slice(0, 50), line, ...THOUSAND.slice(50)].join('\n')),
  );
  expect(await list.problem()).toMatch(/^has a line near byte \d+ that is not a SHA-1 digest/);
});

test.each(['', 'password', 'AAF4C61DDCC5E8A2DABEDE0F3B482CD9AEA9434', '{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M='])(
  '%j does not begin such a list',
  async (text) => {
    expect(await SortedHashes.looksLike(new CountedText(`${text}\n${text}`))).toBe(false);
  },
);
