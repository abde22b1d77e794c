import { randomUUID } from 'node:crypto';
import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import type { AuthenticationContext } from './authentication-context.ts';
import { MalformedToken } from './errors.ts';
import { SIGNING_ALGORITHMS } from './signing-key.ts';
import type { SigningKeys } from './signing-keys.ts';
import { isUuid, type Uuid } from './uuid.ts';

export interface AccessTokensOptions {
  readonly keys: SigningKeys;
  /** Claim `iss`: the URL under which identity is known. */
  readonly issuer: string;
  /** Claim `aud`: the backends that the tokens are for. */
  readonly audience: string;
  /** Claim `client_id`, which RFC 9068 section 2.2 requires. Default: `optix`, as all clients are the platform's own. */
  readonly clientId?: string;
  /** How long a token holds, in seconds. Default: 900. */
  readonly lifetimeSeconds?: number;
  /** Default: the system's clock. */
  readonly now?: () => Date;
}

/** What an access token says. Times are in seconds since 1970. */
export interface AccessTokenClaims {
  readonly iss: string;
  readonly aud: readonly string[];
  readonly sub: Uuid;
  readonly sid: Uuid;
  readonly jti: string;
  readonly iat: number;
  readonly nbf: number;
  readonly exp: number;
  readonly roles: readonly string[];
  /** Id of the key that the token was signed with: of the header, not a claim. */
  readonly kid: string;
  /** The user's token generation at the issue, from 1: tokens of an older one than the user's are not accepted. */
  readonly gen: number;
  /** How the user had authenticated (RFC 8176). */
  readonly amr?: readonly string[];
  /** The assurance level of that, `aal1` or `aal2`; undefined in a token of a version that did not tell. */
  readonly acr?: string;
  /** When the user had authenticated last; undefined in a token of a version that did not tell. */
  readonly auth_time?: number;
}

export interface IssuedAccessToken {
  readonly token: string;
  readonly expiresAt: Date;
}

const MAX_BYTES = 8192;
const TYPE = 'at+jwt';
const CLOCK_TOLERANCE_SECONDS = 5;
/** JWS compact serialization (RFC 7515 section 3.1); the signature of an unsecured JWT is empty. */
const COMPACT_FORM = /^([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;

/** Issues and verifies access tokens: JWTs as RFC 9068 profiles them, signed with Ed25519 or ECDSA. */
export class AccessTokens {
  readonly #options: Required<AccessTokensOptions>;

  constructor(options: AccessTokensOptions) {
    this.#options = {
      clientId: 'optix',
      lifetimeSeconds: 900,
      now: () => new Date(),
      ...options,
    };
  }

  /**
   * Makes sure that a key is at hand, so that `issue` needs no database.
   *
   * @throws DatabaseUnavailable, SecretUnreadable
   */
  async prepare(): Promise<void> {
    await this.#options.keys.active();
  }

  /**
   * Issues a token for a session. How its user authenticated is in the claims that RFC 9068 section 2.2.1 names.
   *
   * @throws DatabaseUnavailable, SecretUnreadable where there is no key to sign with.
   */
  async issue(session: {
    readonly userId: string;
    readonly sessionId: string;
    readonly roles: readonly string[];
    /** The user's token generation (`users.token_generation`), from 1. */
    readonly generation: number;
    readonly authentication: AuthenticationContext;
  }): Promise<IssuedAccessToken> {
    const { keys, issuer, audience, clientId, lifetimeSeconds, now } = this.#options;
    const key = await keys.active();
    const issuedAt = Math.floor(now().getTime() / 1000);
    const exp = issuedAt + lifetimeSeconds;
    const { amr, acr, authenticatedAt } = session.authentication;
    const token = await new SignJWT({
      sid: session.sessionId,
      roles: [...session.roles],
      gen: session.generation,
      amr: [...amr],
      acr,
      auth_time: Math.floor(authenticatedAt.getTime() / 1000),
      client_id: clientId,
    })
      .setProtectedHeader({ alg: key.algorithm, typ: TYPE, kid: key.kid })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject(session.userId)
      .setJti(randomUUID())
      .setIssuedAt(issuedAt)
      .setNotBefore(issuedAt)
      .setExpirationTime(exp)
      .sign(key.privateKey);
    return { token, expiresAt: new Date(exp * 1000) };
  }

  /**
   * Reads the claims of a token that is good in itself: ours, signed, for this audience, in its time. Null where it is
   * not. Whether its session still stands is another question.
   *
   * @throws MalformedToken where the text has not the form of a JWT; DatabaseUnavailable where the key of the token is
   *   not known and the store of keys can't be asked.
   */
  async verify(token: string): Promise<AccessTokenClaims | null> {
    requireJwtForm(token);
    const { keys, issuer, audience, now } = this.#options;
    try {
      const { payload, protectedHeader } = await jwtVerify(
        token,
        async ({ alg, kid }) => {
          const key = typeof kid === 'string' ? await keys.find(kid) : null;
          // The key decides on the algorithm. What the header says is compared with it, never obeyed (RFC 8725 section
          // 3.1). Keys that a header brings or points to (`jwk`, `jku`, `x5c`, `x5u`) are not looked at.
          if (key === null || alg !== key.algorithm) throw new errors.JWKSNoMatchingKey();
          return key.publicKey;
        },
        {
          algorithms: [...SIGNING_ALGORITHMS],
          typ: TYPE,
          issuer,
          audience,
          currentDate: now(),
          clockTolerance: CLOCK_TOLERANCE_SECONDS,
          requiredClaims: ['sub', 'sid', 'jti', 'iat', 'nbf', 'exp', 'gen'],
        },
      );
      const { sub, sid, jti, iat, nbf, exp, roles, gen } = payload;
      if (!isUuid(sub) || !isUuid(sid) || typeof jti !== 'string') return null;
      if (iat === undefined || nbf === undefined || exp === undefined) return null;
      if (!Array.isArray(roles) || !roles.every((role) => typeof role === 'string')) return null;
      if (typeof gen !== 'number' || !Number.isSafeInteger(gen) || gen < 1) return null;
      const authentication = authenticationClaims(payload);
      const { kid } = protectedHeader;
      if (kid === undefined || authentication === null) return null;
      const aud = [payload.aud ?? []].flat();
      return { iss: issuer, aud, sub, sid, jti, iat, nbf, exp, roles, gen, kid, ...authentication };
    } catch (error) {
      if (error instanceof errors.JOSEError) return null;
      throw error;
    }
  }
}

/** The claims on how the user had authenticated, as far as there are any; null where one is not as it must be. */
function authenticationClaims({
  amr,
  acr,
  auth_time,
}: JWTPayload): Pick<AccessTokenClaims, 'amr' | 'acr' | 'auth_time'> | null {
  if (amr !== undefined && !(Array.isArray(amr) && amr.every((method) => typeof method === 'string')))
    return null;
  if (acr !== undefined && typeof acr !== 'string') return null;
  if (auth_time !== undefined && !(typeof auth_time === 'number' && Number.isSafeInteger(auth_time)))
    return null;
  return {
    ...(amr === undefined ? {} : { amr }),
    ...(acr === undefined ? {} : { acr }),
    ...(auth_time === undefined ? {} : { auth_time }),
  };
}

function requireJwtForm(token: string): void {
  if (token === '') throw new MalformedToken('must not be empty');
  if (Buffer.byteLength(token) > MAX_BYTES) throw new MalformedToken(`must be at most ${MAX_BYTES} bytes`);
  const [, header] = COMPACT_FORM.exec(token) ?? [];
  if (header === undefined) throw new MalformedToken('must be three base64url parts, joined by dots');
  if (!isJsonObject(Buffer.from(header, 'base64url').toString('utf8'))) {
    throw new MalformedToken('must have a JSON object as its header');
  }
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
