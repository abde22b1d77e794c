import type { Refusal } from './credentials/record-refusal.ts';

/** Sign-in refused. The same for an unknown address, a wrong password and an account that may not be used. */
export class InvalidCredentials extends Error {
  /** Private: what prints or compares errors must not see it. */
  readonly #refusal: Refusal | null;

  constructor(refusal: Refusal | null = null) {
    super('e-mail address or password is wrong');
    this.name = 'InvalidCredentials';
    this.#refusal = refusal;
  }

  /** What it is counted as: never for the caller. Null where nobody has said. */
  get refusal(): Refusal | null {
    return this.#refusal;
  }
}

/** Somebody who is not deleted has this e-mail address already. */
export class EmailAlreadyRegistered extends Error {
  constructor() {
    super('the e-mail address is already registered');
    this.name = 'EmailAlreadyRegistered';
  }
}

/** There is no such user, or the user was deleted. */
export class UserNotFound extends Error {
  constructor() {
    super('there is no such user');
    this.name = 'UserNotFound';
  }
}

/** The limiter denied the call. */
export class RateLimited extends Error {
  /** Least time to wait, in milliseconds. */
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number) {
    super('too many attempts');
    this.name = 'RateLimited';
    this.retryAfterMs = retryAfterMs;
  }
}

/** The limiter could not be asked, and without it the call is not safe to serve. */
export class RateLimiterUnavailable extends Error {
  constructor(options?: ErrorOptions) {
    super('the rate limiter can not be reached', options);
    this.name = 'RateLimiterUnavailable';
  }
}

/** More passwords wait to be hashed than the process takes on. */
export class HashingOverloaded extends Error {
  /** Estimated time until the queue has room, in milliseconds. */
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number) {
    super('too many passwords are waiting to be hashed');
    this.name = 'HashingOverloaded';
    this.retryAfterMs = retryAfterMs;
  }
}

/** The database is away, is shutting down, or did not answer in time. */
export class DatabaseUnavailable extends Error {
  constructor(options?: ErrorOptions) {
    super('the database can not be reached', options);
    this.name = 'DatabaseUnavailable';
  }
}

/** A text that has not the form of a JWT at all. A well-formed token that is not good is no error, but inactive. */
export class MalformedToken extends Error {
  constructor(reason: string) {
    super(`the token ${reason}`);
    this.name = 'MalformedToken';
  }
}

/** A sealed secret does not open: wrong key, moved to another owner or purpose, or tampered with. */
export class SecretUnreadable extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(`a stored secret can not be read: ${reason}`, options);
    this.name = 'SecretUnreadable';
  }
}

/** The user is not as the caller's etag says: somebody changed it meanwhile. */
export class EtagMismatch extends Error {
  constructor() {
    super('the user was changed meanwhile: read it again');
    this.name = 'EtagMismatch';
  }
}

/** The request id was used for another request within the last day. */
export class RequestIdReused extends Error {
  constructor() {
    super('the request id was used for another request');
    this.name = 'RequestIdReused';
  }
}

/** Nobody active would be left with the role admin. */
export class LastAdmin extends Error {
  constructor() {
    super('the last active user with the role admin must stay one');
    this.name = 'LastAdmin';
  }
}

/** Only users who were deleted can be restored or purged. */
export class UserNotDeleted extends Error {
  constructor() {
    super('the user is not deleted');
    this.name = 'UserNotDeleted';
  }
}

/** The address was verified already. */
export class EmailAlreadyVerified extends Error {
  constructor() {
    super('the e-mail address is verified already');
    this.name = 'EmailAlreadyVerified';
  }
}

/** No way to send mail is set up. */
export class MailNotConfigured extends Error {
  constructor() {
    super('no mail can be sent: MAIL_URL is not set');
    this.name = 'MailNotConfigured';
  }
}

/** A one-time token that is unknown, used or expired, or whose account can't be used any more. */
export class TokenNotUsable extends Error {
  constructor() {
    super('the token is not usable: unknown, used or expired');
    this.name = 'TokenNotUsable';
  }
}

/** A new password that the policy refuses. */
export class PasswordRefused extends Error {
  /** The request's field that holds it. */
  readonly field: 'password' | 'new_password';
  /** Continues a sentence that starts with the field's name, and does not repeat the password. */
  readonly reason: string;

  constructor(field: 'password' | 'new_password', reason: string) {
    super(`${field} ${reason}`);
    this.name = 'PasswordRefused';
    this.field = field;
    this.reason = reason;
  }
}

/** There is no such session. */
export class SessionNotFound extends Error {
  constructor() {
    super('there is no such session');
    this.name = 'SessionNotFound';
  }
}

/** A refresh token that is not good, whatever the reason. */
export class InvalidRefreshToken extends Error {
  /** Private: what prints or compares errors must not see it. */
  readonly #endedFamily: boolean;

  constructor({ endedFamily = false }: { readonly endedFamily?: boolean } = {}) {
    super('the refresh token is not good');
    this.name = 'InvalidRefreshToken';
    this.#endedFamily = endedFamily;
  }

  /** Whether its session was ended for it, for what is counted: never for the caller. */
  get endedFamily(): boolean {
    return this.#endedFamily;
  }
}

/** There is no such signing key in use. */
export class SigningKeyNotFound extends Error {
  constructor() {
    super('there is no such signing key');
    this.name = 'SigningKeyNotFound';
  }
}

/** Verifiers may not know the next signing key yet. */
export class NextKeyTooNew extends Error {
  /** When all of them know it, in milliseconds from now. */
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number) {
    super('the next signing key is too new: verifiers may not know it yet');
    this.name = 'NextKeyTooNew';
    this.retryAfterMs = retryAfterMs;
  }
}

/** All places of those who watch are taken. */
export class TooManyWatchers extends Error {
  constructor(most: number) {
    super(`${most} watch in this process already, which are as many as may`);
    this.name = 'TooManyWatchers';
  }
}

/** A watcher of revocations did not read them as fast as they came. It can resume where it was. */
export class WatcherTooSlow extends Error {
  constructor() {
    super('revocations came faster than they were read: resume with the last cursor');
    this.name = 'WatcherTooSlow';
  }
}

/** The revocations are not the ones that they were: the database was restored. */
export class RevocationsInterrupted extends Error {
  constructor() {
    super('the revocations can not be followed any further: start again with the last cursor');
    this.name = 'RevocationsInterrupted';
  }
}

/** Exports hold a connection each, for as long as their consumers take. */
export class TooManyExports extends Error {
  constructor(most: number) {
    super(`${most} exports run in this process already, which are as many as may`);
    this.name = 'TooManyExports';
  }
}
