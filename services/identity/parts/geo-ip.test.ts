import { readFileSync, truncateSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InvalidSettings } from '../../../runtime/settings.ts';
import { collectingLogger } from '../../../testing/collecting-logger.ts';
import { writeMmdb } from '../../../testing/mmdb.ts';
import type { Places } from '../domain/detection/place.ts';
import type { IpAddress } from '../domain/ip-address.ts';
import { openPlaces } from './geo-ip.ts';

const LONDON = {
  country: { iso_code: 'GB', names: { en: 'United Kingdom' } },
  location: { latitude: 51.5074, longitude: -0.1278, accuracy_radius: 10, time_zone: 'Europe/London' },
  registered_country: { iso_code: 'US' },
};
const FRANCE = { country: { iso_code: 'FR' } };
const EVERY_MS = 20;

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'geo-ip-'));
  path = join(directory, 'places.mmdb');
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

/** The file, opened, and what was logged of it. */
async function opened(): Promise<{
  readonly places: Places;
  readonly log: () => readonly unknown[];
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const { logger, entries } = collectingLogger();
  const resources = new AsyncDisposableStack();
  const places = await openPlaces(path, resources, logger, EVERY_MS);
  return {
    places,
    log: () => entries.map(({ msg, problem }) => [msg, problem].filter(Boolean).join(' | ')),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** What the start ends with. */
async function refusal(): Promise<string> {
  const { logger } = collectingLogger();
  await using resources = new AsyncDisposableStack();
  const error: unknown = await openPlaces(path, resources, logger).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(InvalidSettings);
  return (error as InvalidSettings).message;
}

function find(places: Places, address: string) {
  return places.find(address as IpAddress);
}

const soon = { timeout: 5_000, interval: 10 };
const afterSomeLooks = () => new Promise((resolve) => setTimeout(resolve, 10 * EVERY_MS));

describe('a GeoIP file', () => {
  it('tells where addresses are used', async () => {
    writeMmdb(path, {
      '203.0.113.0/24': LONDON,
      '198.51.100.0/24': FRANCE,
      '2001:db8:1::/48': { country: { iso_code: 'NL' }, location: { latitude: 52, longitude: 5 } },
    });
    await using file = await opened();
    expect(find(file.places, '203.0.113.9')).toEqual({
      country: 'GB',
      latitude: 51.5074,
      longitude: -0.1278,
      accuracyKm: 10,
    });
    expect(find(file.places, '198.51.100.9')).toEqual({
      country: 'FR',
      latitude: null,
      longitude: null,
      accuracyKm: null,
    });
    expect(find(file.places, '2001:db8:1::9')).toEqual({
      country: 'NL',
      latitude: 52,
      longitude: 5,
      accuracyKm: null,
    });
    expect(find(file.places, '192.0.2.9')).toBeNull();
    expect(find(file.places, '2001:db8:2::9')).toBeNull();
    expect(file.log()).toEqual(['GeoIP file']);
  });

  it.each([
    ['no country but the one that the owner has its seat in', { registered_country: { iso_code: 'US' } }],
    ['what is no country', { country: { iso_code: 'ZZ' } }],
    ['0/0', { location: { latitude: 0, longitude: 0 } }],
    ['half a point', { location: { latitude: 12.5 } }],
    ['a point beyond the pole', { location: { latitude: 90.5, longitude: 1 } }],
    ['fields of other types', { country: 'FR', location: ['12', '13'] }],
  ])('tells nothing of an address with %s', async (_, record) => {
    writeMmdb(path, { '203.0.113.0/24': LONDON, '198.51.100.0/24': record });
    await using file = await opened();
    expect(find(file.places, '198.51.100.9')).toBeNull();
  });

  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.1.1',
    '172.31.255.255',
    '192.168.1.1',
    '::',
    '::1',
    'fd00::1',
    'fe80::1',
  ])('tells nothing of %s, whatever it says', async (address) => {
    writeMmdb(path, { '::/1': LONDON, '8000::/1': LONDON });
    await using file = await opened();
    expect(find(file.places, '203.0.113.9')).not.toBeNull();
    expect(find(file.places, '2001:db8::1')).not.toBeNull();
    expect(find(file.places, address)).toBeNull();
  });

  it('of IPv4 alone tells nothing of the IPv6 addresses that begin alike', async () => {
    // 2001:db8:: begins with the bits of 32.1.13.184.
    writeMmdb(path, { '32.1.13.184/32': LONDON }, { ipVersion: 4 });
    await using file = await opened();
    expect(find(file.places, '32.1.13.184')).toMatchObject({ country: 'GB' });
    expect(find(file.places, '2001:db8::')).toBeNull();
  });

  it('that is not configured tells nothing', async () => {
    await using resources = new AsyncDisposableStack();
    const places = await openPlaces(undefined, resources, collectingLogger().logger);
    expect(find(places, '203.0.113.9')).toBeNull();
  });
});

describe('a start with a GeoIP file', () => {
  it.each<[string, RegExp, () => Promise<unknown> | unknown]>([
    ['is not there', /can't be read: ENOENT$/, () => undefined],
    ['is a directory', /is not a file$/, () => mkdir(path)],
    ['is a device that never ends', /is not a file$/, () => symlink('/dev/zero', path)],
    ['is empty', /no MaxMind DB file, or not all of one$/, () => writeFile(path, '')],
    [
      'is something else',
      /no MaxMind DB file, or not all of one$/,
      () => writeFile(path, 'x'.repeat(10_000)),
    ],
    [
      'is compressed',
      /is compressed: unpack it first$/,
      async () => {
        writeMmdb(path, { '203.0.113.0/24': LONDON });
        await writeFile(path, gzipSync(readFileSync(path)));
      },
    ],
    [
      'was copied in half',
      /no MaxMind DB file, or not all of one$/,
      () => {
        writeMmdb(path, { '203.0.113.0/24': LONDON });
        truncateSync(path, Math.floor(readFileSync(path).length / 2));
      },
    ],
    [
      'lacks its beginning',
      /is damaged: its parts do not fit together$/,
      async () => {
        writeMmdb(path, { '203.0.113.0/24': LONDON });
        await writeFile(path, readFileSync(path).subarray(100));
      },
    ],
    [
      'is about something else',
      /of the kind Test-ASN, which tells no country and no coordinates$/,
      () =>
        writeMmdb(
          path,
          { '203.0.113.0/24': { autonomous_system_number: 64_496 } },
          { databaseType: 'Test-ASN' },
        ),
    ],
  ])('that %s is refused, with the name of the setting', async (_, problem, prepare) => {
    await prepare();
    const message = await refusal();
    expect(message).toMatch(/^GEOIP_FILE names \//);
    expect(message).toMatch(problem);
  });
});

describe('a GeoIP file that changes', () => {
  it('is read anew, where it is copied over and where it is replaced by rename', async () => {
    writeMmdb(path, { '203.0.113.0/24': LONDON });
    await using file = await opened();
    const next = join(directory, 'next.mmdb');
    writeMmdb(next, { '203.0.113.0/24': FRANCE });
    await copyFile(next, path);
    await vi.waitFor(() => expect(find(file.places, '203.0.113.9')).toMatchObject({ country: 'FR' }), soon);
    writeMmdb(next, { '203.0.113.0/24': LONDON });
    await rename(next, path);
    await vi.waitFor(() => expect(find(file.places, '203.0.113.9')).toMatchObject({ country: 'GB' }), soon);
    expect(file.log()).toEqual(['GeoIP file', 'GeoIP file read anew', 'GeoIP file read anew']);
  });

  it('to a bad one is logged once, and what was known stays known', async () => {
    writeMmdb(path, { '203.0.113.0/24': LONDON });
    await using file = await opened();
    await writeFile(path, 'half a file');
    await vi.waitFor(() => expect(file.log()).toHaveLength(2), soon);
    await afterSomeLooks();
    expect(file.log()).toEqual([
      'GeoIP file',
      `the GeoIP file is refused: the one in memory stays | GEOIP_FILE names ${path}, which is no MaxMind DB file, or not all of one`,
    ]);
    expect(find(file.places, '203.0.113.9')).toMatchObject({ country: 'GB' });
    await rm(path);
    await vi.waitFor(() => expect(file.log().at(-1)).toMatch(/ENOENT$/), soon);
    await afterSomeLooks();
    expect(file.log()).toHaveLength(3);
    writeMmdb(path, { '203.0.113.0/24': FRANCE });
    await vi.waitFor(() => expect(find(file.places, '203.0.113.9')).toMatchObject({ country: 'FR' }), soon);
  });

  it('is left alone after the end', async () => {
    writeMmdb(path, { '203.0.113.0/24': LONDON });
    const file = await opened();
    await file[Symbol.asyncDispose]();
    writeMmdb(path, { '203.0.113.0/24': FRANCE });
    await afterSomeLooks();
    expect(find(file.places, '203.0.113.9')).toMatchObject({ country: 'GB' });
  });
});

it('damage in one place of a GeoIP file costs what is known of that place, and is logged once', async () => {
  writeMmdb(path, { '198.51.100.0/24': LONDON, '203.0.113.0/24': { country: { iso_code: 'QQ' } } });
  const content = readFileSync(path);
  // The type and length in front of the text: an extended type that there is not.
  content.writeUInt16BE(0x01ff, content.indexOf('BQQ'));
  await writeFile(path, content);
  await using file = await opened();
  expect(find(file.places, '203.0.113.9')).toBeNull();
  expect(find(file.places, '203.0.113.9')).toBeNull();
  expect(find(file.places, '198.51.100.9')).toMatchObject({ country: 'GB' });
  expect(file.log()).toEqual(['GeoIP file', 'the GeoIP file is damaged']);
});
