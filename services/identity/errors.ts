import { Code, type ConnectError } from '@connectrpc/connect';
import { rpcError } from '../../runtime/errors.ts';
import {
  CursorExpired,
  SecurityEventNotFound,
  SecurityEventResolved,
  TooManyVerifications,
} from './domain/audit/errors.ts';
import {
  InvalidAccessToken,
  InvalidChallenge,
  ReauthenticationRequired,
} from './domain/challenges/errors.ts';
import { DeviceTrustNotAllowed, TrustedDeviceNotFound } from './domain/devices/errors.ts';
import {
  DatabaseUnavailable,
  EmailAlreadyRegistered,
  EmailAlreadyVerified,
  EtagMismatch,
  HashingOverloaded,
  InvalidCredentials,
  InvalidRefreshToken,
  LastAdmin,
  MailNotConfigured,
  MalformedToken,
  NextKeyTooNew,
  PasswordRefused,
  RateLimited,
  RateLimiterUnavailable,
  RequestIdReused,
  RevocationsInterrupted,
  SessionNotFound,
  SigningKeyNotFound,
  TokenNotUsable,
  TooManyExports,
  TooManyWatchers,
  UserNotDeleted,
  UserNotFound,
  WatcherTooSlow,
} from './domain/errors.ts';
import { MaintenanceTaskNotFound } from './domain/maintenance/errors.ts';
import { PasskeyRefused } from './domain/passkeys/errors.ts';
import {
  PasskeyAlreadyRegistered,
  PasskeysNotConfigured,
  SecondFactorNotEnabled,
  SecondFactorNotFound,
  SecondFactorRefused,
  TooManyPasskeys,
  TotpNotEnrolling,
} from './domain/second-factors/errors.ts';

/** The service that gives error reasons their meaning (ErrorInfo.domain). */
export const ERROR_DOMAIN = 'identity.optix';

/** Worth a new try after this: long enough for a fail-over to make headway, in milliseconds. */
const UNAVAILABLE_RETRY_MS = 1000;

/** Errors that say nothing but what they are: code and reason (ErrorInfo.reason) of each. */
const PLAIN: readonly (readonly [
  kind: abstract new (...args: never[]) => Error,
  code: Code,
  reason: string,
])[] = [
  [InvalidCredentials, Code.Unauthenticated, 'INVALID_CREDENTIALS'],
  [InvalidRefreshToken, Code.Unauthenticated, 'INVALID_REFRESH_TOKEN'],
  [EmailAlreadyRegistered, Code.AlreadyExists, 'EMAIL_ALREADY_REGISTERED'],
  [UserNotFound, Code.NotFound, 'USER_NOT_FOUND'],
  [SessionNotFound, Code.NotFound, 'SESSION_NOT_FOUND'],
  [SigningKeyNotFound, Code.NotFound, 'SIGNING_KEY_NOT_FOUND'],
  [EtagMismatch, Code.Aborted, 'ETAG_MISMATCH'],
  [RequestIdReused, Code.FailedPrecondition, 'REQUEST_ID_REUSED'],
  [LastAdmin, Code.FailedPrecondition, 'LAST_ADMIN'],
  [UserNotDeleted, Code.FailedPrecondition, 'USER_NOT_DELETED'],
  [EmailAlreadyVerified, Code.FailedPrecondition, 'EMAIL_ALREADY_VERIFIED'],
  [MailNotConfigured, Code.FailedPrecondition, 'MAIL_NOT_CONFIGURED'],
  [TokenNotUsable, Code.FailedPrecondition, 'TOKEN_NOT_USABLE'],
  [TooManyExports, Code.ResourceExhausted, 'TOO_MANY_EXPORTS'],
  [TooManyWatchers, Code.ResourceExhausted, 'TOO_MANY_WATCHERS'],
  [WatcherTooSlow, Code.ResourceExhausted, 'WATCHER_TOO_SLOW'],
  [RevocationsInterrupted, Code.Unavailable, 'REVOCATIONS_INTERRUPTED'],
  [InvalidChallenge, Code.Unauthenticated, 'INVALID_CHALLENGE'],
  [InvalidAccessToken, Code.Unauthenticated, 'INVALID_ACCESS_TOKEN'],
  [TotpNotEnrolling, Code.FailedPrecondition, 'TOTP_NOT_ENROLLING'],
  [SecondFactorNotFound, Code.NotFound, 'SECOND_FACTOR_NOT_FOUND'],
  [SecondFactorNotEnabled, Code.FailedPrecondition, 'SECOND_FACTOR_NOT_ENABLED'],
  [PasskeysNotConfigured, Code.FailedPrecondition, 'PASSKEYS_NOT_CONFIGURED'],
  [TooManyPasskeys, Code.FailedPrecondition, 'TOO_MANY_PASSKEYS'],
  [PasskeyAlreadyRegistered, Code.AlreadyExists, 'PASSKEY_ALREADY_REGISTERED'],
  [DeviceTrustNotAllowed, Code.FailedPrecondition, 'DEVICE_TRUST_NOT_ALLOWED'],
  [TrustedDeviceNotFound, Code.NotFound, 'TRUSTED_DEVICE_NOT_FOUND'],
  [SecurityEventNotFound, Code.NotFound, 'SECURITY_EVENT_NOT_FOUND'],
  [SecurityEventResolved, Code.FailedPrecondition, 'SECURITY_EVENT_RESOLVED'],
  [CursorExpired, Code.OutOfRange, 'CURSOR_EXPIRED'],
  [TooManyVerifications, Code.ResourceExhausted, 'TOO_MANY_VERIFICATIONS'],
  [MaintenanceTaskNotFound, Code.NotFound, 'MAINTENANCE_TASK_NOT_FOUND'],
];

/** What callers are told of the domain's errors; undefined for errors that are not the domain's. */
export function toRpcError(error: unknown): ConnectError | undefined {
  const known = (
    code: Code,
    reason: string,
    more: { readonly retryAfterMs?: number; readonly metadata?: Readonly<Record<string, string>> } = {},
  ) =>
    rpcError(code, {
      message: (error as Error).message,
      reason,
      domain: ERROR_DOMAIN,
      cause: error,
      ...more,
    });

  const plain = PLAIN.find(([kind]) => error instanceof kind);
  if (plain !== undefined) return known(plain[1], plain[2]);
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
  if (error instanceof NextKeyTooNew) {
    return known(Code.FailedPrecondition, 'NEXT_KEY_TOO_NEW', { retryAfterMs: error.retryAfterMs });
  }
  if (error instanceof SecondFactorRefused) {
    const { attemptsLeft } = error;
    const metadata = attemptsLeft === null ? {} : { attempts_left: `${attemptsLeft}` };
    return known(Code.Unauthenticated, 'SECOND_FACTOR_REFUSED', { metadata });
  }
  if (error instanceof ReauthenticationRequired) {
    const metadata = { max_age_seconds: `${error.maxAgeSeconds}`, acr: error.acr };
    return known(Code.FailedPrecondition, 'REAUTHENTICATION_REQUIRED', { metadata });
  }
  if (error instanceof PasskeyRefused) {
    return rpcError(Code.InvalidArgument, {
      message: error.message,
      reason: 'PASSKEY_REFUSED',
      domain: ERROR_DOMAIN,
      violations: [{ field: 'response', description: `was refused: ${error.reason}` }],
    });
  }
  if (error instanceof PasswordRefused) {
    return rpcError(Code.InvalidArgument, {
      message: error.message,
      reason: 'PASSWORD_REFUSED',
      domain: ERROR_DOMAIN,
      violations: [{ field: error.field, description: error.reason }],
    });
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
