import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import type { Logger } from '../logger.ts';
import { readJwks } from './jwks.ts';
import type { KeySet } from './key-set.ts';

export interface RemoteKeySetOptions {
  readonly url: string;
  readonly logger: Logger;
  /** Least time between two requests that unknown key ids bring about, in ms. Default: 30,000. */
  readonly cooldownMs?: number;
  /** How often the keys are asked for in any case, in ms. Default: 300,000. */
  readonly everyMs?: number;
}

const COOLDOWN_MS = 30_000;
/** As long as there are no keys at all, every token waits for them. */
const FIRST_COOLDOWN_MS = 1_000;
const EVERY_MS = 300_000;
const TIMEOUT_MS = 5_000;
const MAX_BYTES = 1024 * 1024;

/**
 * The keys that an issuer serves under a URL of the callers file. Asked for when first needed, every five minutes (so
 * that a key that was taken away stops being good), and when a token names an unknown one. While the URL is away the
 * last keys stay.
 */
export class RemoteKeySet implements KeySet, Disposable {
  readonly #options: RemoteKeySetOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #stop = new AbortController();
  #version = 0;
  #text = '';
  #find: JWTVerifyGetKey | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #failed = false;

  constructor(options: RemoteKeySetOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#ask(), options.everyMs ?? EVERY_MS).unref();
  }

  get version(): number {
    return this.#version;
  }

  readonly find: JWTVerifyGetKey = async (header, token) => {
    if (this.#find === undefined) throw new errors.JWKSNoMatchingKey();
    return await this.#find(header, token);
  };

  async refresh(version: number): Promise<boolean> {
    if (this.#version !== version) return true;
    const cooldownMs = Math.min(
      this.#options.cooldownMs ?? COOLDOWN_MS,
      this.#find === undefined ? FIRST_COOLDOWN_MS : Number.POSITIVE_INFINITY,
    );
    if (this.#asking === undefined && performance.now() - this.#askedAt < cooldownMs) return false;
    await this.#ask();
    return this.#version !== version;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#stop.abort();
  }

  #ask(): Promise<void> {
    this.#asking ??= this.#fetch().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #fetch(): Promise<void> {
    this.#askedAt = performance.now();
    const { url, logger } = this.#options;
    try {
      const text = await download(url, this.#stop.signal);
      const keys = readJwks(text);
      if (this.#failed) logger.info({ url }, 'the key set of an issuer can be read again');
      this.#failed = false;
      if (text === this.#text) return;
      this.#find = createLocalJWKSet(keys);
      this.#text = text;
      this.#version += 1;
      logger.info({ url, keys: keys.keys.length }, 'the key set of an issuer was read');
    } catch (error) {
      if (!this.#failed && !this.#stop.signal.aborted) {
        const reason = error instanceof Error ? error.message : String(error);
        logger.error({ url, reason }, 'the key set of an issuer can not be read: the last one stays');
      }
      this.#failed = true;
    }
  }
}

/** A redirect would lead to where nobody configured keys. */
async function download(url: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(url, {
    redirect: 'error',
    headers: { accept: 'application/jwk-set+json, application/json' },
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw new Error(`status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new Error(`more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
