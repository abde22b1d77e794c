/** Sign-in refused. The same for an unknown address, a wrong password and an account that may not be used. */
export class InvalidCredentials extends Error {
  constructor() {
    super('e-mail address or password is wrong');
    this.name = 'InvalidCredentials';
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
