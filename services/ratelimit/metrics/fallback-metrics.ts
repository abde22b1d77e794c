import type { Metrics } from '../../../runtime/metrics/metrics.ts';
import { type Sample, tell } from '../../../runtime/metrics/told-metric.ts';
import type { BreakerState } from '../storage/breaker.ts';
import type { BreakerChange, GuardedStore } from '../storage/guarded-store.ts';

/** Tells which shards of Redis are away, and how often that changed. There are as many series as the cluster has had nodes. */
export class FallbackMetrics {
  readonly #changes = new Map<string, { away: number; back: number }>();

  constructor(metrics: Metrics, store: () => Pick<GuardedStore, 'states'>) {
    tell(metrics, {
      name: 'optix_ratelimit_fallback',
      help: 'Whether Redis, or a shard of it, is away, and rules answer by their failure policies.',
      type: 'gauge',
      samples: () => [...store().states()].map(gaugeSample),
    });
    tell(metrics, {
      name: 'optix_ratelimit_fallback_changes_total',
      help: 'How often Redis, or a shard of it, went away and came back; it is back for the first time at the start.',
      type: 'counter',
      samples: () => this.#changeSamples(),
    });
  }

  /** To be told of each change. */
  changed({ lane, state }: BreakerChange): void {
    let changes = this.#changes.get(lane);
    if (changes === undefined) {
      changes = { away: 0, back: 0 };
      this.#changes.set(lane, changes);
    }
    changes[state === 'OPEN' ? 'away' : 'back'] += 1;
  }

  *#changeSamples(): Iterable<Sample> {
    for (const [shard, { away, back }] of this.#changes) {
      yield { labels: { shard, state: 'away' }, value: away };
      yield { labels: { shard, state: 'back' }, value: back };
    }
  }
}

function gaugeSample([shard, state]: readonly [string, BreakerState]): Sample {
  return { labels: { shard }, value: state === 'OPEN' ? 1 : 0 };
}
