import { Code, type ConnectError } from '@connectrpc/connect';
import { rpcError } from '../../runtime/errors.ts';
import { CostExceedsLimit } from './domain/errors.ts';

/** The service that gives error reasons their meaning (ErrorInfo.domain). */
export const ERROR_DOMAIN = 'ratelimit.optix';

/** What callers are told of the domain's errors; undefined for errors that are not the domain's. */
export function toRpcError(error: unknown): ConnectError | undefined {
  if (error instanceof CostExceedsLimit) {
    const description = `must be at most ${error.limit}, the limit; ${error.cost} could never be allowed`;
    return rpcError(Code.InvalidArgument, {
      message: `cost ${description}`,
      reason: 'COST_EXCEEDS_LIMIT',
      domain: ERROR_DOMAIN,
      metadata: { cost: String(error.cost), limit: String(error.limit) },
      violations: [{ field: 'cost', description }],
    });
  }
  return undefined;
}
