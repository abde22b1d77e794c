/** An API key of the settings. */
export interface ConfiguredKey {
  /** The caller that it stands for. */
  readonly name: string;
  /** SHA-256 of the key, in lower-case hex. */
  readonly digest: string;
  /** What the caller may do; undefined: the service's default. */
  readonly scopes: readonly string[] | undefined;
}

const ENTRY = /^([a-z0-9][a-z0-9._-]{0,63})=([0-9a-f]{64})((?:;(?:[a-z.]+|\*))*)$/;

/**
 * The API keys that a service's settings name, by their SHA-256. Keys are long random texts, so a plain digest is enough
 * to keep them: no guessing is possible.
 */
export class CallerKeys {
  readonly entries: readonly ConfiguredKey[];

  private constructor(entries: readonly ConfiguredKey[]) {
    this.entries = entries;
  }

  /**
   * Reads `name=<sha-256 in hex>` entries between commas, each with the scopes it is to have after semicolons:
   * `console=<sha-256 in hex>;users.read;users.admin`. A name may come twice, so that a key can be rotated; a key may not.
   *
   * @throws Error that says what is wrong without repeating a key.
   */
  static parse(text: string): CallerKeys {
    const entries = new Map<string, ConfiguredKey>();
    for (const [index, entry] of text.split(',').entries()) {
      const [, name, digest, tail = ''] = ENTRY.exec(entry.trim()) ?? [];
      if (name === undefined || digest === undefined) {
        throw new Error(
          `must hold name=<sha-256 in hex> entries between commas, with scopes after semicolons; entry ${index + 1} does not`,
        );
      }
      if (entries.has(digest)) throw new Error(`must not hold a key twice, as entry ${index + 1} does`);
      const scopes = tail === '' ? undefined : tail.slice(1).split(';');
      entries.set(digest, { name, digest, scopes });
    }
    return new CallerKeys([...entries.values()]);
  }
}
