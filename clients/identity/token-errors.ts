/** Why an access token is not good in itself. */
export type TokenInvalidReason =
  | 'malformed'
  | 'unknown_key'
  | 'algorithm'
  | 'signature'
  | 'type'
  | 'issuer'
  | 'audience'
  | 'expired'
  | 'not_yet_valid'
  | 'claims';

/** The token is not good: not identity's, not for this backend, out of its time, or changed. Ask for another one. */
export class TokenInvalid extends Error {
  readonly reason: TokenInvalidReason;

  constructor(reason: TokenInvalidReason, options?: ErrorOptions) {
    super(`the access token is not good: ${reason}`, options);
    this.name = 'TokenInvalid';
    this.reason = reason;
  }
}

/** The token was good and was taken back, by itself or with its session, its user's older tokens or its key. */
export class TokenRevoked extends Error {
  /** For example `signed_out`; `inactive` where identity said no more than that. */
  readonly reason: string;

  constructor(reason: string) {
    super(`the access token was revoked: ${reason}`);
    this.name = 'TokenRevoked';
    this.reason = reason;
  }
}

/** Whether the token was revoked can't be told now: identity can't be heard. Try again later. */
export class RevocationsUnknown extends Error {
  constructor(options?: ErrorOptions) {
    super('whether the access token was revoked can not be told: identity can not be heard', options);
    this.name = 'RevocationsUnknown';
  }
}

/** Whether the token's signature is good can't be told now: the keys can't be had. Try again later. */
export class KeysUnknown extends Error {
  constructor(options?: ErrorOptions) {
    super('the keys of identity can not be had', options);
    this.name = 'KeysUnknown';
  }
}
