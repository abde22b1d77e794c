import { hash } from 'node:crypto';

/** A backend or gateway that calls a service. */
export interface Caller {
  /** The name its key was configured under. */
  readonly name: string;
}

const ENTRY = /^([a-z0-9][a-z0-9._-]{0,63})=([0-9a-f]{64})$/;

/**
 * The API keys of the callers a service knows, by their SHA-256. Keys are long random texts, so a plain digest is
 * enough to keep them (no guessing is possible), and a look-up by digest tells a timer nothing about the key.
 */
export class CallerKeys {
  readonly #byDigest: ReadonlyMap<string, Caller>;

  private constructor(byDigest: ReadonlyMap<string, Caller>) {
    this.#byDigest = byDigest;
  }

  /**
   * Reads `name=<sha-256 in hex>` entries between commas. A name may come twice, so that a key can be rotated.
   *
   * @throws Error that says what is wrong without repeating a key.
   */
  static parse(text: string): CallerKeys {
    const byDigest = new Map<string, Caller>();
    for (const [index, entry] of text.split(',').entries()) {
      const match = ENTRY.exec(entry.trim());
      if (match?.[1] === undefined || match[2] === undefined) {
        throw new Error(
          `must hold name=<sha-256 in hex> entries between commas; entry ${index + 1} does not`,
        );
      }
      byDigest.set(match[2], { name: match[1] });
    }
    return new CallerKeys(byDigest);
  }

  /** The caller whose key an `Authorization: Bearer <key>` header holds, or undefined. */
  authenticate(authorization: string | undefined): Caller | undefined {
    if (authorization === undefined || !/^bearer /i.test(authorization)) return undefined;
    const key = authorization.slice(7).trim();
    return this.#byDigest.get(hash('sha256', key, 'hex'));
  }
}
