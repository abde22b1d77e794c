import { durationMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import type { Check } from '../../clients/ratelimit/limiter.ts';
import type { RateLimitClient } from '../../clients/ratelimit/rate-limit-client.ts';
import {
  type CheckLimitResponse,
  RateLimitService,
} from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { LogThrottle } from '../../runtime/log-throttle.ts';
import type { Logger } from '../../runtime/logger.ts';
import { methodName } from '../../runtime/service-table.ts';
import { startClientSpan } from '../../runtime/tracing/active-span.ts';
import { callAttributes, endClientCallSpan } from '../../runtime/tracing/call-attributes.ts';
import { traceHeaders } from '../../runtime/tracing/trace-headers.ts';
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

/** The limiter as identity asks it for gateways too, which pass on the whole decision. */
export interface GatewayLimiter extends Limiter {
  /**
   * Undefined where the request goes on uncounted: limiting is off, or the limiter can't be asked and that is the policy.
   *
   * @throws RateLimiterUnavailable; ConnectError INVALID_ARGUMENT for a check that can't be made
   */
  decide(check: Check, signal?: AbortSignal): Promise<CheckLimitResponse | undefined>;
}

/** Gateways ask with each request of somebody else: of an outage there is a line this often, in milliseconds. */
const LOG_EVERY_MS = 1000;

const ALLOWED: LimitDecision = { allowed: true, retryAfterMs: 0 };

const CHECK = methodName(RateLimitService.method.checkLimit);

/** Lets everything pass: for deployments that switch limiting off. */
export const unlimited: GatewayLimiter = {
  check: async () => ALLOWED,
  decide: async () => undefined,
};

/** Asks the rate limiter over gRPC, as any backend would. */
export class LimiterClient implements GatewayLimiter {
  readonly #options: LimiterClientOptions;
  readonly #throttle = new LogThrottle(LOG_EVERY_MS);

  constructor(options: LimiterClientOptions) {
    this.#options = options;
  }

  async check(endpoint: string, identifier: string, signal?: AbortSignal): Promise<LimitDecision> {
    const decision = await this.#ask({ endpoint, identifier }, signal);
    if (decision === undefined) return ALLOWED;
    const { allowed, retryAfter } = decision;
    return { allowed, retryAfterMs: retryAfter === undefined ? 0 : durationMs(retryAfter) };
  }

  async decide(check: Check, signal?: AbortSignal): Promise<CheckLimitResponse | undefined> {
    return await this.#ask(check, signal, Code.InvalidArgument);
  }

  /** @param thrown the code of errors that are the asker's own */
  async #ask(check: Check, signal?: AbortSignal, thrown?: Code): Promise<CheckLimitResponse | undefined> {
    const { onUnavailable, logger } = this.#options;
    try {
      return await this.#call(check, signal);
    } catch (error) {
      signal?.throwIfAborted();
      const { code } = ConnectError.from(error);
      if (code === thrown) throw error;
      const keptBack = this.#throttle.pass();
      if (keptBack !== undefined) {
        const { endpoint } = check;
        logger.error(
          { err: error, endpoint, code: Code[code], policy: onUnavailable, kept_back: keptBack },
          'the rate limiter can not be asked',
        );
      }
      if (onUnavailable === 'allow') return undefined;
      throw new RateLimiterUnavailable({ cause: error });
    }
  }

  /** One call, with the trace that it belongs to. */
  async #call(check: Check, signal: AbortSignal | undefined): Promise<CheckLimitResponse> {
    const { client, timeoutMs } = this.#options;
    const span = startClientSpan(CHECK, callAttributes(CHECK, 'grpc'));
    const options = { timeoutMs, headers: traceHeaders(span) };
    let code: Code | undefined;
    try {
      return await client.checkLimit(check, signal === undefined ? options : { ...options, signal });
    } catch (error) {
      ({ code } = ConnectError.from(error));
      throw error;
    } finally {
      if (span !== undefined) endClientCallSpan(span, code);
    }
  }
}
