import { type Client, createClient } from '@connectrpc/connect';
import { errors, jwtVerify } from 'jose';
import { TokenService } from '../../gen/optix/identity/v1/token_service_pb.ts';
import {
  createGrpcTransport,
  type GrpcTransport,
  type GrpcTransportOptions,
} from '../grpc/grpc-transport.ts';
import { KeyCache } from './key-cache.ts';
import { RevocationList } from './revocation-list.ts';
import { type RevocationsState, RevocationWatch } from './revocation-watch.ts';
import { RevocationsUnknown, TokenInvalid, type TokenInvalidReason, TokenRevoked } from './token-errors.ts';
import { readClaims, type VerifiedToken } from './verified-token.ts';

/** How access tokens are verified. */
export interface TokenVerifierOptions extends GrpcTransportOptions {
  /** The issuer that tokens must name: identity's TOKEN_ISSUER. */
  readonly issuer: string;
  /** The audience that tokens must name: identity's TOKEN_AUDIENCE. */
  readonly audience: string;
  /**
   * What becomes of tokens that are good in themselves while the stream of revocations is silent. `introspect` asks
   * identity about each; `reject` refuses them; `accept` takes them, so that revocations made meanwhile are missed for as
   * long as tokens last. What is known to be revoked is refused in any case. Default: `introspect`.
   */
  readonly whenStale?: 'introspect' | 'reject' | 'accept';
  /** For how long what the stream said counts, in milliseconds; it says something every second. Default: 3000. */
  readonly staleAfterMs?: number;
  /** Keys are fetched again after this, in milliseconds. Default: 300,000. */
  readonly keyRefreshMs?: number;
  /** For how long keys are kept while identity is away, in milliseconds. Default: 86,400,000 (a day). */
  readonly keyMaxAgeMs?: number;
  /** An unknown key id has keys fetched once in this time at most, in milliseconds. Default: 5000. */
  readonly keyRetryMs?: number;
  /** By how much clocks may differ, in seconds. Default: 5. */
  readonly clockToleranceSeconds?: number;
  /** How long to wait for identity's word on a token, in milliseconds. Default: 1000. */
  readonly introspectTimeoutMs?: number;
  /** So many tokens whose signatures were good are remembered, so that it is computed once a token. Default: 10,000. */
  readonly cachedTokens?: number;
  /** Told whenever revocations begin or cease to be known. */
  readonly onStateChange?: (state: RevocationsState) => void;
}

/** Verifies access tokens in the backend itself. Disposing it ends the stream and closes the connection. */
export interface TokenVerifier extends Disposable {
  /** Whether all revocations are known at this moment. Not before the first snapshot is complete. */
  readonly state: RevocationsState;
  /**
   * Reads a token that is good: identity's, for this audience, in its time and not revoked.
   *
   * @throws TokenInvalid, TokenRevoked: answer 401. RevocationsUnknown, KeysUnknown: answer 503.
   */
  verify(token: string): Promise<VerifiedToken>;
}

const MAX_BYTES = 8192;
const TYPE = 'at+jwt';
const ALGORITHMS = ['EdDSA', 'ES256'];
const REASONS_BY_CLAIM: Readonly<Record<string, TokenInvalidReason>> = {
  iss: 'issuer',
  aud: 'audience',
  typ: 'type',
  nbf: 'not_yet_valid',
};

/**
 * Begins to watch revocations, and verifies tokens offline: with identity's public keys, which are fetched now and then,
 * and with the revocations that identity streams within a second.
 *
 * @throws TypeError when the API key has a character that a header can't carry
 *
 * @example
 * using tokens = createTokenVerifier({ address: 'localhost:50051', apiKey, issuer, audience: 'optix' });
 * const { userId, roles } = await tokens.verify(bearerToken);
 */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  return new Verifier(options);
}

class Verifier implements TokenVerifier {
  readonly #options: TokenVerifierOptions;
  readonly #transport: GrpcTransport;
  readonly #client: Client<typeof TokenService>;
  readonly #keys: KeyCache;
  readonly #revocations = new RevocationList();
  readonly #watch: RevocationWatch;
  /** Tokens whose signature and claims are good, oldest first. Key, time and revocations are looked at with each use. */
  readonly #good = new Map<string, VerifiedToken>();

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
    this.#transport = createGrpcTransport(options);
    this.#client = createClient(TokenService, this.#transport);
    this.#keys = new KeyCache({
      client: this.#client,
      refreshMs: options.keyRefreshMs ?? 300_000,
      maxAgeMs: options.keyMaxAgeMs ?? 86_400_000,
      retryMs: options.keyRetryMs ?? 5000,
    });
    this.#watch = new RevocationWatch({
      client: this.#client,
      list: this.#revocations,
      staleAfterMs: options.staleAfterMs ?? 3000,
      onStateChange: (state) => options.onStateChange?.(state),
    });
  }

  get state(): RevocationsState {
    return this.#watch.state;
  }

  async verify(token: string): Promise<VerifiedToken> {
    const seen = this.#good.get(token);
    const read = seen !== undefined && this.#keys.knows(seen.keyId) ? seen : await this.#read(token);
    this.#checkTime(read);
    // Looked at after everything that takes time: nothing comes between this and the answer.
    const reason = this.#revocations.reasonFor(read);
    if (reason !== null) throw new TokenRevoked(reason);
    if (this.#watch.state.fresh) return { ...read, checkedBy: 'revocation_stream' };
    switch (this.#options.whenStale ?? 'introspect') {
      case 'accept':
        return read;
      case 'reject':
        throw new RevocationsUnknown();
      case 'introspect':
        return await this.#introspect(token, read);
    }
  }

  async #read(token: string): Promise<VerifiedToken> {
    if (Buffer.byteLength(token) > MAX_BYTES) throw new TokenInvalid('malformed');
    const { issuer, audience } = this.#options;
    try {
      const { payload, protectedHeader } = await jwtVerify(
        token,
        async ({ alg, kid }) => {
          const found = typeof kid === 'string' ? await this.#keys.find(kid) : null;
          if (found === null) throw new TokenInvalid('unknown_key');
          // The key decides on the algorithm, never the header (RFC 8725 section 3.1).
          if (alg !== found.algorithm) throw new TokenInvalid('algorithm');
          return found.key;
        },
        {
          ...{ issuer, audience, typ: TYPE, algorithms: ALGORITHMS },
          clockTolerance: this.#clockTolerance,
          requiredClaims: ['sub', 'sid', 'jti', 'iat', 'nbf', 'exp', 'gen', 'roles'],
        },
      );
      const read = readClaims(payload, protectedHeader.kid ?? '');
      if (read === null) throw new TokenInvalid('claims');
      this.#remember(token, read);
      return read;
    } catch (error) {
      throw error instanceof errors.JOSEError ? new TokenInvalid(reasonOf(error), { cause: error }) : error;
    }
  }

  get #clockTolerance(): number {
    return this.#options.clockToleranceSeconds ?? 5;
  }

  #checkTime({ expiresAt, notBefore }: VerifiedToken): void {
    const toleranceMs = this.#clockTolerance * 1000;
    const now = Date.now();
    if (now - toleranceMs >= expiresAt.getTime()) throw new TokenInvalid('expired');
    if (now + toleranceMs < notBefore.getTime()) throw new TokenInvalid('not_yet_valid');
  }

  #remember(token: string, read: VerifiedToken): void {
    const most = this.#options.cachedTokens ?? 10_000;
    if (most <= 0) return;
    if (this.#good.size >= most) {
      const [oldest] = this.#good.keys();
      if (oldest !== undefined) this.#good.delete(oldest);
    }
    this.#good.set(token, read);
  }

  async #introspect(token: string, read: VerifiedToken): Promise<VerifiedToken> {
    const timeoutMs = this.#options.introspectTimeoutMs ?? 1000;
    const answer = await this.#client.introspectToken({ token }, { timeoutMs }).catch((error: unknown) => {
      throw new RevocationsUnknown({ cause: error });
    });
    if (!answer.active) throw new TokenRevoked('inactive');
    return { ...read, roles: answer.roles, checkedBy: 'introspection' };
  }

  [Symbol.dispose](): void {
    // Not a DisposableStack: this runs in backends of older versions of Node, too.
    this.#watch[Symbol.dispose]();
    this.#transport[Symbol.dispose]();
    this.#good.clear();
  }
}

function reasonOf(error: errors.JOSEError): TokenInvalidReason {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed) return REASONS_BY_CLAIM[error.claim] ?? 'claims';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
  return 'malformed';
}
