import { BlockList } from 'node:net';
import type { Logger } from '../../../runtime/logger.ts';
import { InvalidSettings } from '../../../runtime/settings.ts';
import { repeat } from '../../../runtime/timers.ts';
import type { Place, Places } from '../domain/detection/place.ts';
import type { IpAddress } from '../domain/ip-address.ts';
import { detectionSettings } from '../settings/detection-settings.ts';
import { type GeoIpFile, geoIpFileState, InvalidGeoIpFile, readGeoIpFile } from './geo-ip-file.ts';

/** Such files change by the week; a change is taken once it was seen twice in a row. */
const LOOK_EVERY_MS = 5_000;

/** Used by everybody inside their own network, so that a file that places them is wrong (RFC 6890). */
const PRIVATE = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
] as const) {
  PRIVATE.addSubnet(network, bits, familyOf(network));
}

/**
 * Where addresses are used, by a file that is read into memory and anew when it changes. One that can't be used is logged
 * once, and the one in memory stays.
 *
 * @param path unset: nothing is known of any address.
 * @param everyMs how often the file is looked at, in ms.
 * @throws InvalidSettings where the file can't be used.
 */
export async function openPlaces(
  path: string | undefined,
  resources: AsyncDisposableStack,
  logger: Logger,
  everyMs = LOOK_EVERY_MS,
): Promise<Places> {
  if (path === undefined) return { find: () => null };
  try {
    const file = await readGeoIpFile(path);
    logger.info(factsOf(path, file), 'GeoIP file');
    return resources.use(new WatchedPlaces({ path, file, logger, everyMs }));
  } catch (error) {
    if (!(error instanceof InvalidGeoIpFile)) throw error;
    throw new InvalidSettings([`${detectionSettings.geoipFile.env} ${error.message}`]);
  }
}

interface WatchedPlacesOptions {
  readonly path: string;
  /** The file as it was read at the start. */
  readonly file: GeoIpFile;
  readonly logger: Logger;
  readonly everyMs: number;
}

class WatchedPlaces implements Places, AsyncDisposable {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #file: GeoIpFile;
  /** State of the file as it was seen last, and of what was dealt with, good or bad. */
  #seen: string;
  #settled: string;
  #damageLogged = false;

  constructor({ path, file, logger, everyMs }: WatchedPlacesOptions) {
    this.#path = path;
    this.#logger = logger;
    this.#file = file;
    this.#seen = file.state;
    this.#settled = file.state;
    this.#loop = repeat(everyMs, this.#stop.signal, () => this.#look());
  }

  find(address: IpAddress): Place | null {
    if (PRIVATE.check(address, familyOf(address))) return null;
    try {
      return this.#file.find(address);
    } catch (error) {
      // A sign-in must not fail for it. Once a file, as each sign-in would say the same.
      if (!this.#damageLogged)
        this.#logger.error({ file: this.#path, err: error }, 'the GeoIP file is damaged');
      this.#damageLogged = true;
      return null;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #look(): Promise<void> {
    const now = await geoIpFileState(this.#path);
    const before = this.#seen;
    this.#seen = now;
    // Not before it stays as it is: copying such a file takes a while.
    if (now !== before || now === this.#settled) return;
    this.#settled = now;
    try {
      const file = await readGeoIpFile(this.#path);
      this.#settled = file.state;
      this.#file = file;
      this.#damageLogged = false;
      this.#logger.info(factsOf(this.#path, file), 'GeoIP file read anew');
    } catch (error) {
      if (!(error instanceof InvalidGeoIpFile)) throw error;
      const problem = `${detectionSettings.geoipFile.env} ${error.message}`;
      this.#logger.error({ problem }, 'the GeoIP file is refused: the one in memory stays');
    }
  }
}

function factsOf(path: string, { type, builtAt }: GeoIpFile) {
  return { file: path, type, built: builtAt.toISOString() };
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}
