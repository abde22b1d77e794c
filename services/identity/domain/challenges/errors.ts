/** A challenge that is unknown, used, expired, out of attempts or another device's, or whose account can't be used any more. */
export class InvalidChallenge extends Error {
  constructor() {
    super('the challenge is not good any more: begin again');
    this.name = 'InvalidChallenge';
  }
}

/** An access token in a request that is not good at this moment. */
export class InvalidAccessToken extends Error {
  constructor() {
    super('the access token is not good');
    this.name = 'InvalidAccessToken';
  }
}

/** The session's user has not authenticated lately or strongly enough for this (RFC 9470). */
export class ReauthenticationRequired extends Error {
  /** How long ago the user may have authenticated, in seconds. */
  readonly maxAgeSeconds: number;
  /** What is asked for. */
  readonly acr: 'aal1' | 'aal2';

  constructor(maxAgeSeconds: number, acr: 'aal1' | 'aal2') {
    super('the user has to authenticate again for this');
    this.name = 'ReauthenticationRequired';
    this.maxAgeSeconds = maxAgeSeconds;
    this.acr = acr;
  }
}
