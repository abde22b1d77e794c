import type { JWTPayload } from 'jose';

/** What an access token says, once it is known to be good. */
export interface VerifiedToken {
  /** Claim `sub`: the user's id. */
  readonly userId: string;
  /** Claim `sid`: the session's id. */
  readonly sessionId: string;
  /** Claim `jti`: the token's own id. */
  readonly tokenId: string;
  /** The user's roles: those of the token's issue, or those of this moment where identity was asked. */
  readonly roles: readonly string[];
  /** Claim `gen`: the user's token generation at the issue, from 1. */
  readonly generation: number;
  /** Claim `amr`: how the user had authenticated (RFC 8176), for example `pwd`, `otp`, `mfa`. */
  readonly amr: readonly string[];
  /** Claim `acr`: the assurance level of that, `aal1` or `aal2`; null where the token does not tell. */
  readonly acr: string | null;
  /** Claim `auth_time`: when the user had authenticated last; null where the token does not tell. */
  readonly authenticatedAt: Date | null;
  /** Id of the key that signed it. */
  readonly keyId: string;
  readonly issuedAt: Date;
  readonly notBefore: Date;
  readonly expiresAt: Date;
  /** How it was found out that the token was not revoked. */
  readonly checkedBy: 'revocation_stream' | 'introspection' | 'nobody';
}

/** Reads the claims of a token whose signature, issuer, audience and times are good. Null where one is not as it must be. */
export function readClaims(payload: JWTPayload, keyId: string): VerifiedToken | null {
  const { sub, sid, jti, roles, gen, iat, nbf, exp, amr = [], acr = null, auth_time = null } = payload;
  if (typeof sub !== 'string' || typeof sid !== 'string' || typeof jti !== 'string') return null;
  if (iat === undefined || nbf === undefined || exp === undefined) return null;
  if (!isTexts(roles) || !isTexts(amr)) return null;
  if (acr !== null && typeof acr !== 'string') return null;
  if (auth_time !== null && (typeof auth_time !== 'number' || !Number.isSafeInteger(auth_time))) return null;
  if (typeof gen !== 'number' || !Number.isSafeInteger(gen) || gen < 1) return null;
  return {
    ...{ userId: sub, sessionId: sid, tokenId: jti, roles, generation: gen, keyId, amr, acr },
    authenticatedAt: auth_time === null ? null : new Date(auth_time * 1000),
    issuedAt: new Date(iat * 1000),
    notBefore: new Date(nbf * 1000),
    expiresAt: new Date(exp * 1000),
    checkedBy: 'nobody',
  };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}
