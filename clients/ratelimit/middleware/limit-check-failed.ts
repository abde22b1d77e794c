import { Code, ConnectError } from '@connectrpc/connect';

/**
 * The limiter gave no answer for a request, and the request was not handled: the limiter can't be reached and is to
 * throw then, or it refuses to be asked in this way (a wrong key, an endpoint that breaks its bounds). The cause is what
 * the limiter threw. It is for the log alone: it may name addresses and settings.
 */
export class LimitCheckFailed extends Error {
  /** What Express and Fastify answer with: 503 where asking again can help, else 500. */
  readonly statusCode: 500 | 503;

  constructor(cause: unknown) {
    super('the rate limit could not be checked', { cause });
    this.name = 'LimitCheckFailed';
    const { code } = ConnectError.from(cause);
    this.statusCode = code === Code.Unavailable || code === Code.DeadlineExceeded ? 503 : 500;
  }
}
