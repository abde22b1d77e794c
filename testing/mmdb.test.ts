import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CityResponse, open, type Reader } from 'maxmind';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type MmdbOptions, writeMmdb } from './mmdb.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mmdb-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

/** What the reader that everybody uses makes of what was written. */
async function written(
  networks: Readonly<Record<string, object>>,
  options?: MmdbOptions,
): Promise<Reader<CityResponse>> {
  const file = join(directory, 'places.mmdb');
  writeMmdb(file, networks, options);
  return await open<CityResponse>(file);
}

describe.each([24, 28, 32] as const)('a file with records of %i bits', (recordSize) => {
  it('gives each address the data of its smallest network', async () => {
    const reader = await written(
      {
        '203.0.113.128/25': { name: 'half' },
        '203.0.113.0/24': { name: 'whole' },
        '203.0.113.200/32': { name: 'one' },
        '2001:db8::/32': { name: 'six' },
        '2001:db8:1:2:3:4:5:6/128': { name: 'one of six' },
      },
      { recordSize },
    );
    expect(reader.metadata).toMatchObject({ recordSize, ipVersion: 6, databaseType: 'Test-City' });
    for (const [address, name] of [
      ['203.0.113.1', 'whole'],
      ['203.0.113.129', 'half'],
      ['203.0.113.200', 'one'],
      ['203.0.113.201', 'half'],
      ['2001:db8::1', 'six'],
      ['2001:db8:1:2:3:4:5:6', 'one of six'],
      ['2001:db8:1:2:3:4:5:7', 'six'],
    ] as const) {
      expect([address, reader.get(address)]).toEqual([address, { name }]);
    }
    for (const address of ['203.0.112.255', '203.0.114.0', '2001:db9::']) {
      expect([address, reader.get(address)]).toEqual([address, null]);
    }
  });

  it('may be so large that offsets need all of their bits', async () => {
    // Past 2^24 bytes of data where records have more than 24 bits: the ones in the shared byte are set.
    const long = 'x'.repeat(70_000);
    const count = recordSize === 24 ? 200 : 250;
    const networks = Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`10.${index}.0.0/16`, { long, index }]),
    );
    const reader = await written(networks, { recordSize });
    expect(readFileSync(join(directory, 'places.mmdb')).length > 2 ** 24).toBe(recordSize !== 24);
    for (const index of [0, 1, 127, count - 1]) {
      expect(reader.get(`10.${index}.1.1`)).toEqual({ long, index });
    }
  });
});

it('holds IPv4 alone where it is asked to', async () => {
  const reader = await written({ '198.51.100.0/24': { name: 'four' } }, { ipVersion: 4 });
  expect(reader.metadata.ipVersion).toBe(4);
  expect(reader.get('198.51.100.7')).toEqual({ name: 'four' });
  expect(reader.get('198.51.101.7')).toBeNull();
});

it('keeps values of all kinds and sizes', async () => {
  const value = {
    texts: ['', 'ü', 'x'.repeat(28), 'x'.repeat(29), 'x'.repeat(284), 'x'.repeat(285), 'x'.repeat(65_821)],
    numbers: [0, 1, 255, 256, 4_294_967_295, -1, 0.5, -33.8688, 151.2093, 4_294_967_296],
    truths: [true, false],
    nested: { empty: {}, none: [] },
    many: Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`key${index}`, index])),
  };
  const reader = await written({ '0.0.0.0/1': value });
  expect(reader.get('1.2.3.4')).toEqual(value);
});
