import type { AccessTokenClaims } from './access-token.ts';

/** A token whose signature and claims were found good. */
export interface VerifiedToken {
  readonly claims: AccessTokenClaims;
  /** Whom it was issued to. */
  readonly clientId: string;
  /** How often keys had been revoked when its verification began. */
  readonly epoch: number;
}

export interface VerifiedTokensOptions {
  /** Null for a token that is not good. May throw. */
  readonly verify: (token: string) => Promise<AccessTokenClaims | null>;
  /** Tokens remembered at most. Default: 50,000. */
  readonly mostTokens?: number;
  /** Characters of them at most. Default: 32 Mi. */
  readonly mostCharacters?: number;
}

/**
 * Remembers tokens that were verified, as checking a signature is most of what an introspection costs. By the whole text:
 * a token that differs in one bit is another one. In two generations: when the young one is full it takes the place of
 * the old one, so that what is asked for again stays and no list has to be kept in order.
 */
export class VerifiedTokens {
  readonly #verify: (token: string) => Promise<AccessTokenClaims | null>;
  readonly #mostTokens: number;
  readonly #mostCharacters: number;
  #young = new Map<string, VerifiedToken>();
  #old = new Map<string, VerifiedToken>();
  #characters = 0;
  #epoch = 0;

  constructor({ verify, mostTokens = 50_000, mostCharacters = 33_554_432 }: VerifiedTokensOptions) {
    this.#verify = verify;
    this.#mostTokens = mostTokens / 2;
    this.#mostCharacters = mostCharacters / 2;
  }

  /** Tokens that are remembered. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** A token that is remembered, and has not run out at `at`, in milliseconds since 1970. */
  peek(token: string, at: number): VerifiedToken | undefined {
    let known = this.#young.get(token);
    if (known === undefined) {
      known = this.#old.get(token);
      if (known !== undefined) {
        this.#old.delete(token);
        this.#remember(token, known);
      }
    }
    return known !== undefined && known.claims.exp * 1000 > at ? known : undefined;
  }

  /** Null where the token is not good in itself. @throws what `verify` throws */
  async verify(token: string, at: number): Promise<VerifiedToken | null> {
    const epoch = this.#epoch;
    const claims = await this.#verify(token);
    if (claims === null) return null;
    const verified = { claims, clientId: clientIdIn(token), epoch };
    if (epoch === this.#epoch && claims.exp * 1000 > at) this.#remember(token, verified);
    return verified;
  }

  /** Whether no key was revoked since the token was verified. */
  isCurrent({ epoch }: VerifiedToken): boolean {
    return epoch === this.#epoch;
  }

  /** Forgets all tokens: a key was revoked. */
  clear(): void {
    this.#epoch += 1;
    this.#young = new Map();
    this.#old = new Map();
    this.#characters = 0;
  }

  #remember(token: string, verified: VerifiedToken): void {
    if (this.#young.size >= this.#mostTokens || this.#characters + token.length > this.#mostCharacters) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#characters = 0;
    }
    this.#young.set(token, verified);
    this.#characters += token.length;
  }
}

/** The claim `client_id` of a token that was verified. */
function clientIdIn(token: string): string {
  const [, payload = ''] = token.split('.', 2);
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
  return String(claims['client_id']);
}
