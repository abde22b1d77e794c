import type { Client } from '@connectrpc/connect';
import { type CryptoKey, importJWK, type JWK } from 'jose';
import type { Jwk, TokenService } from '../../gen/optix/identity/v1/token_service_pb.ts';
import { KeysUnknown } from './token-errors.ts';

/** A key that access tokens are verified with, and the one algorithm it is for. */
export interface VerificationKey {
  readonly algorithm: string;
  readonly key: CryptoKey;
}

export interface KeyCacheOptions {
  readonly client: Pick<Client<typeof TokenService>, 'getJwks'>;
  /** Keys are asked for again after this, in milliseconds. */
  readonly refreshMs: number;
  /** While identity can't be asked, keys are kept for so long, in milliseconds. */
  readonly maxAgeMs: number;
  /** An unknown key id, and a failure, have identity asked again after this at the earliest, in milliseconds. */
  readonly retryMs: number;
}

/** What identity signs with (RFC 8037, RFC 7518). Anything else is left out. */
const CURVES: Readonly<Record<string, { readonly kty: string; readonly alg: string }>> = {
  Ed25519: { kty: 'OKP', alg: 'EdDSA' },
  'P-256': { kty: 'EC', alg: 'ES256' },
};

/** How long to wait for the keys, in milliseconds: whoever presents a key id that is unknown waits with them. */
const ANSWER_TIMEOUT_MS = 2000;

/** The public keys of identity, asked for when they are needed and no sooner than they may have changed. */
export class KeyCache {
  readonly #options: KeyCacheOptions;
  #keys: ReadonlyMap<string, VerificationKey> = new Map();
  /** When identity answered last, and when it was asked last (performance.now()). */
  #answeredAt = Number.NEGATIVE_INFINITY;
  #askedAt = Number.NEGATIVE_INFINITY;
  #failure: unknown;
  #asking: Promise<void> | undefined;

  constructor(options: KeyCacheOptions) {
    this.#options = options;
  }

  /** Whether identity has the key, as far as is known. What is due soon is fetched aside: nobody waits for it. */
  knows(keyId: string): boolean {
    if (this.#age > this.#options.refreshMs && this.#mayAsk) void this.#ask();
    return this.#known(keyId) !== undefined;
  }

  /**
   * The key with this id; null where identity has none.
   *
   * @throws KeysUnknown where the key is not known, or was not confirmed for too long, and identity can't be asked.
   */
  async find(keyId: string): Promise<VerificationKey | null> {
    if (!this.knows(keyId) && (this.#mayAsk || this.#asking !== undefined)) await this.#ask();
    const found = this.#known(keyId);
    if (found !== undefined) return found;
    if (this.#failure !== undefined) throw new KeysUnknown({ cause: this.#failure });
    return null;
  }

  #known(keyId: string): VerificationKey | undefined {
    return this.#age <= this.#options.maxAgeMs ? this.#keys.get(keyId) : undefined;
  }

  get #age(): number {
    return performance.now() - this.#answeredAt;
  }

  get #mayAsk(): boolean {
    return performance.now() - this.#askedAt >= this.#options.retryMs;
  }

  /** All who need the keys at once share one call. Never rejects: the failure is kept for those who ask. */
  #ask(): Promise<void> {
    this.#asking ??= this.#fetch().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #fetch(): Promise<void> {
    this.#askedAt = performance.now();
    try {
      const { keys } = await this.#options.client.getJwks({}, { timeoutMs: ANSWER_TIMEOUT_MS });
      const imported = await Promise.all(keys.map(importKey));
      this.#keys = new Map(imported.filter((entry) => entry !== null));
      this.#answeredAt = performance.now();
      this.#failure = undefined;
    } catch (error) {
      this.#failure = error;
    }
  }
}

/** The curve decides on the algorithm: no key can be made to verify by another one (RFC 8725 section 3.1). */
async function importKey({
  kty,
  crv,
  x,
  y,
  kid,
  alg,
}: Jwk): Promise<readonly [string, VerificationKey] | null> {
  const expected = CURVES[crv];
  if (expected === undefined || expected.kty !== kty || expected.alg !== alg || kid === '') return null;
  const jwk: JWK = kty === 'EC' ? { kty, crv, x, y } : { kty, crv, x };
  const key = await importJWK(jwk, alg);
  return key instanceof Uint8Array ? null : [kid, { algorithm: alg, key }];
}
