import type { Metrics } from '../../../runtime/metrics/metrics.ts';
import { type Sample, tell } from '../../../runtime/metrics/told-metric.ts';
import type { TopKeys } from '../domain/top-keys.ts';

/** How long those that were chosen stay, so that a flood of keys makes no flood of series. */
const CHOSEN_FOR_MS = 300_000;
/** Of an identifier, in UTF-16 units. */
const MAX_IDENTIFIER_LENGTH = 128;

export interface TopDeniedOptions {
  readonly keys: TopKeys;
  /** How many keys are told at a time: 0 to 100. */
  readonly size: number;
  /** Milliseconds of a clock that never goes back. Default: performance.now(). */
  readonly now?: () => number;
}

/** A key as it is told. */
interface Denied {
  readonly endpoint: string;
  readonly identifier: string;
  checks: number;
}

/**
 * Tells the denied checks of the keys that are limited most. The keys are chosen anew every five minutes; where there are
 * fewer than `size`, others join as they come. So there are at most `size` new ones in five minutes, whatever callers
 * send. A figure is what was counted for certain; the ranking may have missed some: see {@link SpaceSaving}.
 */
export class TopDenied {
  readonly #keys: TopKeys;
  readonly #size: number;
  readonly #now: () => number;
  #chosen = new Map<string, Denied>();
  #chosenMs = Number.NEGATIVE_INFINITY;

  constructor(metrics: Metrics, { keys, size, now = () => performance.now() }: TopDeniedOptions) {
    this.#keys = keys;
    this.#size = size;
    this.#now = now;
    tell(metrics, {
      name: 'optix_ratelimit_top_denied_checks',
      help: 'Denied checks of the most limited keys of the last 5 to 10 minutes.',
      type: 'gauge',
      samples: () => this.#samples(),
    });
  }

  #samples(): Iterable<Sample> {
    if (this.#size === 0) return [];
    const denied = this.#denied();
    if (this.#now() - this.#chosenMs >= CHOSEN_FOR_MS) {
      this.#chosen = new Map();
      this.#chosenMs = this.#now();
    }
    for (const [id, key] of denied) {
      if (this.#chosen.size >= this.#size) break;
      if (!this.#chosen.has(id)) this.#chosen.set(id, key);
    }
    return [...this.#chosen].map(([id, { endpoint, identifier }]) => ({
      labels: { endpoint, identifier },
      value: denied.get(id)?.checks ?? 0,
    }));
  }

  /** All keys of which a denial is certain, the most limited first. Those that are told alike are one. */
  #denied(): ReadonlyMap<string, Denied> {
    const byId = new Map<string, Denied>();
    for (const { endpoint, identifier: whole, count, error } of this.#keys.figures().denied.entries) {
      const checks = count - error;
      if (checks <= 0) continue;
      // Half a surrogate pair would be written as the same character for all.
      const identifier = whole.slice(0, MAX_IDENTIFIER_LENGTH).toWellFormed();
      const id = JSON.stringify([endpoint, identifier]);
      const known = byId.get(id);
      if (known === undefined) byId.set(id, { endpoint, identifier, checks });
      else known.checks += checks;
    }
    return new Map([...byId].sort(([, one], [, other]) => other.checks - one.checks));
  }
}
