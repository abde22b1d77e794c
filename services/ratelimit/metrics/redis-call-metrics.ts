import type { Metrics } from '../../../runtime/metrics/metrics.ts';
import { PlainHistogram, SECONDS } from '../../../runtime/metrics/plain-histogram.ts';
import { type Sample, tell } from '../../../runtime/metrics/told-metric.ts';
import type { RedisCallName, RedisCallObserver } from '../storage/redis-call-observer.ts';
import { KeyUnusable, type StoreUnavailable } from '../storage/store-errors.ts';

const DURATION = 'optix_ratelimit_redis_duration_seconds';
const BATCHED = 'optix_ratelimit_batched_checks';
/** From a tenth of a millisecond; a check waits for 50 ms at most unless REDIS_TIMEOUT_MS says otherwise. */
const ROUND_TRIP_SECONDS = [0.0001, 0.00025, ...SECONDS];
/** No batch has more. */
const CHECKS = [1, 2, 4, 8, 16, 32, 64];

/** Counts and times what is asked of Redis, as plain numbers. */
export class RedisCallMetrics implements RedisCallObserver {
  readonly #durations = new Map<RedisCallName, PlainHistogram>();
  readonly #batched = new PlainHistogram(CHECKS);
  #unavailable = 0;
  #keyUnusable = 0;

  constructor(metrics: Metrics) {
    tell(metrics, {
      name: DURATION,
      help: 'Round trips to Redis that were answered.',
      type: 'histogram',
      samples: () => this.#durationSamples(),
    });
    tell(metrics, {
      name: BATCHED,
      help: 'Checks that went to Redis in one round trip.',
      type: 'histogram',
      samples: () => this.#batched.samples(BATCHED),
    });
    tell(metrics, {
      name: 'optix_ratelimit_redis_errors_total',
      help: 'Round trips to Redis that failed or could not be made, and keys that it can not count.',
      type: 'counter',
      samples: () => [
        { labels: { reason: 'unavailable' }, value: this.#unavailable },
        { labels: { reason: 'key_unusable' }, value: this.#keyUnusable },
      ],
    });
  }

  batched(asks: number): void {
    this.#batched.observe(asks);
  }

  answered(call: RedisCallName, seconds: number): void {
    let durations = this.#durations.get(call);
    if (durations === undefined) {
      durations = new PlainHistogram(ROUND_TRIP_SECONDS);
      this.#durations.set(call, durations);
    }
    durations.observe(seconds);
  }

  failed(error: StoreUnavailable | KeyUnusable): void {
    if (error instanceof KeyUnusable) this.#keyUnusable += 1;
    else this.#unavailable += 1;
  }

  *#durationSamples(): Iterable<Sample> {
    for (const [script, durations] of this.#durations) yield* durations.samples(DURATION, { script });
  }
}
