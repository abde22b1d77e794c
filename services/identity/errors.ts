import { Code, type ConnectError } from '@connectrpc/connect';
import { rpcError } from '../../runtime/errors.ts';
import {
  DatabaseUnavailable,
  EmailAlreadyRegistered,
  HashingOverloaded,
  InvalidCredentials,
  MalformedToken,
  RateLimited,
  RateLimiterUnavailable,
  UserNotFound,
} from './domain/errors.ts';

/** The service that gives error reasons their meaning (ErrorInfo.domain). */
export const ERROR_DOMAIN = 'identity.optix';

/** Worth a new try after this: long enough for a fail-over to make headway, in milliseconds. */
const UNAVAILABLE_RETRY_MS = 1000;

/** What callers are told of the domain's errors; undefined for errors that are not the domain's. */
export function toRpcError(error: unknown): ConnectError | undefined {
  const known = (code: Code, reason: string, more: { readonly retryAfterMs?: number } = {}) =>
    rpcError(code, {
      message: (error as Error).message,
      reason,
      domain: ERROR_DOMAIN,
      cause: error,
      ...more,
    });

  if (error instanceof InvalidCredentials) return known(Code.Unauthenticated, 'INVALID_CREDENTIALS');
  if (error instanceof EmailAlreadyRegistered) return known(Code.AlreadyExists, 'EMAIL_ALREADY_REGISTERED');
  if (error instanceof UserNotFound) return known(Code.NotFound, 'USER_NOT_FOUND');
  if (error instanceof RateLimited) {
    return known(Code.ResourceExhausted, 'RATE_LIMITED', { retryAfterMs: error.retryAfterMs });
  }
  if (error instanceof HashingOverloaded) {
    return known(Code.ResourceExhausted, 'HASHING_OVERLOADED', { retryAfterMs: error.retryAfterMs });
  }
  if (error instanceof RateLimiterUnavailable) {
    return known(Code.Unavailable, 'RATE_LIMITER_UNAVAILABLE', { retryAfterMs: UNAVAILABLE_RETRY_MS });
  }
  if (error instanceof DatabaseUnavailable) {
    return known(Code.Unavailable, 'DATABASE_UNAVAILABLE', { retryAfterMs: UNAVAILABLE_RETRY_MS });
  }
  if (error instanceof MalformedToken) {
    const description = error.message.replace(/^the token /, '');
    return rpcError(Code.InvalidArgument, {
      message: `token ${description}`,
      reason: 'TOKEN_MALFORMED',
      domain: ERROR_DOMAIN,
      violations: [{ field: 'token', description }],
    });
  }
  return undefined;
}
