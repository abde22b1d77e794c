import type { BigIntStats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { type CityResponse, Reader } from 'maxmind';
import type { Place } from '../domain/detection/place.ts';
import type { IpAddress } from '../domain/ip-address.ts';
import { placeOf } from './geo-ip-record.ts';

/** What is read into memory at most; the largest files that are sold have some hundred MiB. */
const MAX_BYTES = 1024 ** 3;
/** What the metadata begins with, near the end of the file, so that half a file has none. */
const METADATA_MARKER = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1');
const SEPARATOR_BYTES = 16;
/** Networks that are looked at for one whose place is known; in a file of places one of the first has it. */
const LOOKED_AT = 10_000;
/** Decoded parts, such as countries, that are kept: 2 MB that make a lookup four times as fast (22 to 5 µs, GeoLite2 City). */
const CACHED = 1_000;

/** A file that tells where addresses are can't be used. The message continues a sentence that starts with its setting. */
export class InvalidGeoIpFile extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'InvalidGeoIpFile';
  }
}

/** A file that tells where addresses are, in memory. */
export interface GeoIpFile {
  /** For example `GeoLite2-City`. */
  readonly type: string;
  readonly builtAt: Date;
  /** See {@link geoIpFileState}. */
  readonly state: string;
  /** Null where nothing is known. Throws where the file is damaged in that place. */
  find(address: IpAddress): Place | null;
}

/**
 * Reads a file in the MaxMind DB format 2.0 whose records have the fields of GeoIP2 Country or City.
 *
 * @throws InvalidGeoIpFile
 */
export async function readGeoIpFile(path: string): Promise<GeoIpFile> {
  const { content, state } = await contentOf(path);
  const problem = formatProblem(content);
  if (problem !== undefined) throw new InvalidGeoIpFile(`names ${path}, ${problem}`);
  let reader: Reader<CityResponse>;
  let hasPlaces: boolean;
  try {
    reader = new Reader<CityResponse>(content, { cache: decodedParts() });
    if (!isWhole(reader, content)) throw new Error('its parts do not fit together');
    hasPlaces = knowsPlaces(reader);
  } catch (error) {
    throw new InvalidGeoIpFile(`names ${path}, which is damaged: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const { databaseType, buildEpoch, ipVersion } = reader.metadata;
  if (!hasPlaces) {
    throw new InvalidGeoIpFile(
      `names ${path} of the kind ${databaseType}, which tells no country and no coordinates`,
    );
  }
  return {
    type: databaseType,
    builtAt: buildEpoch,
    state,
    find: (address) => {
      // The reader would look up the first 32 bits of an IPv6 address as an IPv4 address.
      if (ipVersion === 4 && address.includes(':')) return null;
      return placeOf(reader.get(address));
    },
  };
}

/** Changes with each change of the file, and with what is wrong where it can't be looked at. */
export async function geoIpFileState(path: string): Promise<string> {
  try {
    return stateOf(await stat(path, { bigint: true }));
  } catch (error) {
    return codeOf(error);
  }
}

function stateOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs].join(':');
}

async function contentOf(path: string): Promise<{ readonly content: Buffer; readonly state: string }> {
  let file: FileHandle;
  try {
    // Of a directory or a named pipe, which opening would wait at, the kind is told first.
    if (!(await stat(path)).isFile()) throw new InvalidGeoIpFile(`names ${path}, which is not a file`);
    file = await open(path, 'r');
  } catch (error) {
    throw error instanceof InvalidGeoIpFile ? error : unreadable(path, error);
  }
  try {
    const stats = await file.stat({ bigint: true });
    if (stats.size > MAX_BYTES) throw new InvalidGeoIpFile(`names ${path}, which has more than 1 GiB`);
    const content = await file.readFile();
    const state = stateOf(stats);
    if (state === stateOf(await file.stat({ bigint: true }))) return { content, state };
    throw new InvalidGeoIpFile(`names ${path}, which was changed while it was read`);
  } catch (error) {
    throw error instanceof InvalidGeoIpFile ? error : unreadable(path, error);
  } finally {
    await file.close();
  }
}

function unreadable(path: string, error: unknown): InvalidGeoIpFile {
  return new InvalidGeoIpFile(`names ${path}, which can't be read: ${codeOf(error)}`, { cause: error });
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

function formatProblem(content: Buffer): string | undefined {
  if (content.includes(METADATA_MARKER)) return undefined;
  if (content[0] === 0x1f && content[1] === 0x8b) return 'which is compressed: unpack it first';
  return 'which is no MaxMind DB file, or not all of one';
}

/** Begins anew when it is full: what is common is there again at once. */
function decodedParts() {
  const parts = new Map<number | string, unknown>();
  return {
    get: (offset: number | string) => parts.get(offset),
    set: (offset: number | string, part: unknown) => {
      if (parts.size >= CACHED) parts.clear();
      parts.set(offset, part);
    },
  };
}

/** The reader itself checks none of this, and would find nothing or nonsense. */
function isWhole({ metadata }: Reader<CityResponse>, content: Buffer): boolean {
  const { binaryFormatMajorVersion, buildEpoch, ipVersion, nodeCount, searchTreeSize } = metadata;
  const separator = content.subarray(searchTreeSize, searchTreeSize + SEPARATOR_BYTES);
  return (
    binaryFormatMajorVersion === 2 &&
    (ipVersion === 4 || ipVersion === 6) &&
    nodeCount > 0 &&
    !Number.isNaN(buildEpoch.getTime()) &&
    separator.equals(Buffer.alloc(SEPARATOR_BYTES))
  );
}

/** Files about something else, such as networks' owners, have the same format. Their names follow no rule. */
function knowsPlaces(reader: Reader<CityResponse>): boolean {
  let next = 0n;
  for (let looked = 0; looked < LOOKED_AT && next < 1n << 128n; looked += 1) {
    // A tree of IPv4 alone is walked by the first 32 bits of these, which is as good here.
    const groups = next.toString(16).padStart(32, '0').match(/.{4}/g) ?? [];
    const [record, prefixLength] = reader.getWithPrefixLength(groups.join(':'));
    if (placeOf(record) !== null) return true;
    next += 1n << BigInt(128 - prefixLength);
  }
  return false;
}
