import { Code, ConnectError } from '@connectrpc/connect';
import { Histogram } from 'prom-client';
import type { RateLimitClient } from '../../../clients/ratelimit/rate-limit-client.ts';
import type { Metrics } from '../../../runtime/metrics/metrics.ts';

const OUTCOMES = ['allowed', 'denied', 'unavailable'] as const;
/** From what a limiter beside takes to the longest time-out. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** How long the rate limiter takes to answer. */
export class LimiterMetrics {
  readonly #durations: Histogram<'outcome'>;

  constructor({ registry }: Metrics) {
    this.#durations = new Histogram({
      name: 'optix_identity_limiter_duration_seconds',
      help: 'Time that the rate limiter took to answer.',
      labelNames: ['outcome'],
      buckets: SECONDS,
      registers: [registry],
    });
    for (const outcome of OUTCOMES) this.#durations.zero({ outcome });
  }

  /**
   * The same client, each of whose checks is timed. Of the client and not of the policy for a limiter that is away, which
   * may let calls pass that nobody has allowed. A check that its caller gave up, or that can't be made, says nothing of
   * the limiter and is left out.
   */
  timed(client: RateLimitClient): RateLimitClient {
    const checkLimit: RateLimitClient['checkLimit'] = async (check, options) => {
      const startedAt = performance.now();
      const ended = (outcome: (typeof OUTCOMES)[number]) =>
        this.#durations.observe({ outcome }, (performance.now() - startedAt) / 1000);
      try {
        const decision = await client.checkLimit(check, options);
        ended(decision.allowed ? 'allowed' : 'denied');
        return decision;
      } catch (error) {
        const isImpossible = ConnectError.from(error).code === Code.InvalidArgument;
        if (!isImpossible && options?.signal?.aborted !== true) ended('unavailable');
        throw error;
      }
    };
    return { ...client, checkLimit };
  }
}
