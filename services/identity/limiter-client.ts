import { durationMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import type { RateLimitClient } from '../../clients/ratelimit/rate-limit-client.ts';
import type { Logger } from '../../runtime/logger.ts';
import { RateLimiterUnavailable } from './domain/errors.ts';
import type { LimitDecision, Limiter } from './domain/limiter.ts';

/** How identity asks the rate limiter. */
export interface LimiterClientOptions {
  readonly client: RateLimitClient;
  readonly timeoutMs: number;
  /** What becomes of a call while the limiter can't be asked. */
  readonly onUnavailable: 'deny' | 'allow';
  readonly logger: Logger;
}

const ALLOWED: LimitDecision = { allowed: true, retryAfterMs: 0 };

/** Lets everything pass: for deployments that switch limiting off. */
export const unlimited: Limiter = { check: async () => ALLOWED };

/** Asks the rate limiter over gRPC, as any backend would. */
export class LimiterClient implements Limiter {
  readonly #options: LimiterClientOptions;

  constructor(options: LimiterClientOptions) {
    this.#options = options;
  }

  async check(endpoint: string, identifier: string, signal?: AbortSignal): Promise<LimitDecision> {
    const { client, timeoutMs, onUnavailable, logger } = this.#options;
    try {
      const decision = await client.checkLimit(
        { endpoint, identifier },
        signal === undefined ? { timeoutMs } : { timeoutMs, signal },
      );
      const retryAfterMs = decision.retryAfter === undefined ? 0 : durationMs(decision.retryAfter);
      return { allowed: decision.allowed, retryAfterMs };
    } catch (error) {
      signal?.throwIfAborted();
      const code = Code[ConnectError.from(error).code];
      logger.error(
        { err: error, endpoint, code, policy: onUnavailable },
        'the rate limiter can not be asked',
      );
      if (onUnavailable === 'allow') return ALLOWED;
      throw new RateLimiterUnavailable({ cause: error });
    }
  }
}
