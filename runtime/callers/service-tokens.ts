import { decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import type { Caller } from './caller.ts';
import type { KeySet } from './key-set.ts';

/** Whom tokens are taken from. */
export interface TokenIssuer {
  /** `iss`, compared letter by letter. */
  readonly issuer: string;
  /** What `aud` has to hold: this service, so that a token for another one is not good here (RFC 8725 section 3.9). */
  readonly audience: string;
  readonly keys: KeySet;
  /** Callers by `sub`. */
  readonly subjects: ReadonlyMap<string, Caller>;
}

/**
 * Asymmetric algorithms only, and named here, not in the token (RFC 8725 sections 3.1 and 3.2): a token can neither do
 * without a signature nor be signed with a public key as an HMAC's secret.
 */
const ALGORITHMS = ['EdDSA', 'ES256', 'RS256', 'PS256'];
/** The longest time from `iat` to `exp`, in seconds: nothing revokes a token, so it has to end soon. */
const MAX_LIFETIME_SECONDS = 3600;
/** What the issuer's clock may differ by, in seconds. */
const CLOCK_TOLERANCE_SECONDS = 30;
const MAX_TOKEN_CHARACTERS = 8192;
const MAX_REMEMBERED = 10_000;
const JWS_COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

interface Remembered {
  readonly caller: Caller;
  /** By Date.now(). */
  readonly endsAt: number;
  readonly keys: KeySet;
  readonly keysVersion: number;
}

/**
 * Callers by service tokens: JWTs that an issuer of theirs has signed. A token whose check succeeded is known again by its
 * digest, without a check, until it ends or its issuer's keys change; the 10,000 that were used last are remembered.
 */
export class ServiceTokens {
  readonly #issuers: ReadonlyMap<string, TokenIssuer>;
  readonly #remembered = new Map<string, Remembered>();
  readonly #checking = new Map<string, Promise<Caller | undefined>>();

  constructor(issuers: readonly TokenIssuer[]) {
    this.#issuers = new Map(issuers.map((issuer) => [issuer.issuer, issuer]));
  }

  /**
   * The caller of a token; undefined where the token is not good, or is none.
   *
   * @param digest SHA-256 of the token, in hex
   */
  authenticate(token: string, digest: string): Caller | undefined | Promise<Caller | undefined> {
    const known = this.#remembered.get(digest);
    if (known !== undefined) {
      this.#remembered.delete(digest);
      if (known.endsAt > Date.now() && known.keysVersion === known.keys.version) {
        // Anew, so that the first one in the map is the one that was used least of late.
        this.#remembered.set(digest, known);
        return known.caller;
      }
    }
    if (token.length > MAX_TOKEN_CHARACTERS || !JWS_COMPACT.test(token)) return undefined;
    return this.#checking.get(digest) ?? this.#checkOnce(token, digest);
  }

  /** All who bring a token at the same time share one check. */
  #checkOnce(token: string, digest: string): Promise<Caller | undefined> {
    const checking = this.#check(token, digest).finally(() => this.#checking.delete(digest));
    this.#checking.set(digest, checking);
    return checking;
  }

  async #check(token: string, digest: string): Promise<Caller | undefined> {
    const issuer = this.#issuerOf(token);
    if (issuer === undefined) return undefined;
    const { keys } = issuer;
    let keysVersion = keys.version;
    let claims = await verified(token, issuer);
    if (claims === 'unknown key') {
      if (!(await keys.refresh(keysVersion))) return undefined;
      keysVersion = keys.version;
      claims = await verified(token, issuer);
    }
    if (claims === undefined || claims === 'unknown key') return undefined;
    const caller = issuer.subjects.get(claims.sub ?? '');
    if (caller === undefined) return undefined;
    this.#remember(digest, { caller, endsAt: Number(claims.exp) * 1000, keys, keysVersion });
    return caller;
  }

  /** Whose token it claims to be: which of the known keys it has to be signed with. */
  #issuerOf(token: string): TokenIssuer | undefined {
    try {
      return this.#issuers.get(decodeJwt(token).iss ?? '');
    } catch {
      return undefined;
    }
  }

  #remember(digest: string, entry: Remembered): void {
    this.#remembered.set(digest, entry);
    if (this.#remembered.size <= MAX_REMEMBERED) return;
    const [oldest] = this.#remembered.keys();
    if (oldest !== undefined) this.#remembered.delete(oldest);
  }
}

/** The claims of a token that is good; undefined where it is not. The header's `jku`, `x5u` and `jwk` count for nothing. */
async function verified(
  token: string,
  { issuer, audience, keys }: TokenIssuer,
): Promise<JWTPayload | 'unknown key' | undefined> {
  try {
    const { payload } = await jwtVerify(token, keys.find, {
      algorithms: ALGORITHMS,
      issuer,
      audience,
      requiredClaims: ['exp', 'iat', 'sub'],
      // Also refuses an `iat` of the future.
      maxTokenAge: MAX_LIFETIME_SECONDS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    });
    const { exp = 0, iat = 0 } = payload;
    // The tolerance is for a beginning that is yet to come: an end is one.
    return exp - iat <= MAX_LIFETIME_SECONDS && exp * 1000 > Date.now() ? payload : undefined;
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return 'unknown key';
    // A DOMException: the key of the set is one that Node can't import, with other uses beside `verify`, say.
    if (error instanceof errors.JOSEError || error instanceof DOMException) return undefined;
    throw error;
  }
}
