import { Code, type ConnectError } from '@connectrpc/connect';
import { rpcError } from '../../runtime/errors.ts';
import {
  CostExceedsLimit,
  EnvoyNotConfigured,
  InvalidReceipt,
  LeaseEnded,
  StoreAway,
  TooManyTerms,
} from './domain/errors.ts';

/** The service that gives error reasons their meaning (ErrorInfo.domain). */
export const ERROR_DOMAIN = 'ratelimit.optix';

/** When a store that is away is worth another try. */
const RETRY_MS = 1_000;

/** What callers are told of the domain's errors; undefined for errors that are not the domain's. */
export function toRpcError(error: unknown): ConnectError | undefined {
  if (error instanceof CostExceedsLimit) {
    const { field, cost, limit } = error;
    const description = `must be at most ${limit}, the limit; ${cost} could never be allowed`;
    const metadata = { cost: String(cost), limit: String(limit) };
    return invalid('COST_EXCEEDS_LIMIT', field, description, metadata);
  }
  if (error instanceof TooManyTerms) {
    const description = `must make at most ${error.most} limits in all, not ${error.terms}`;
    return invalid('TOO_MANY_LIMITS', 'checks', description);
  }
  if (error instanceof InvalidReceipt) {
    return invalid('RECEIPT_MALFORMED', 'receipt', 'is not a receipt of a decision');
  }
  if (error instanceof LeaseEnded) {
    return rpcError(Code.NotFound, {
      message: 'the receipt has no lease that still goes on',
      reason: 'LEASE_ENDED',
      domain: ERROR_DOMAIN,
    });
  }
  if (error instanceof EnvoyNotConfigured) {
    return rpcError(Code.FailedPrecondition, {
      message: 'the service has no configuration for Envoy: set RATELIMIT_ENVOY_CONFIG',
      reason: 'ENVOY_NOT_CONFIGURED',
      domain: ERROR_DOMAIN,
    });
  }
  if (error instanceof StoreAway) {
    return rpcError(Code.Unavailable, {
      message: 'the store can not be asked now; nothing was changed that is known of',
      reason: 'STORE_UNAVAILABLE',
      domain: ERROR_DOMAIN,
      retryAfterMs: RETRY_MS,
      cause: error,
    });
  }
  return undefined;
}

function invalid(
  reason: string,
  field: string,
  description: string,
  metadata: Readonly<Record<string, string>> = {},
): ConnectError {
  return rpcError(Code.InvalidArgument, {
    message: `${field} ${description}`,
    reason,
    domain: ERROR_DOMAIN,
    metadata,
    violations: [{ field, description }],
  });
}
