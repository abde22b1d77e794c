import { Counter } from 'prom-client';
import type { Metrics } from '../../../runtime/metrics/metrics.ts';
import type { HitStatistics } from '../domain/envoy/should-limit.ts';
import type { DescriptorPlan } from '../domain/envoy/should-limit-plan.ts';
import type { DescriptorStatus } from '../domain/envoy/should-limit-status.ts';

/** Part of a limit from which on hits are near it, as in the reference implementation. */
const NEAR = 0.8;
/** Keys that hold what requests bring, and as many without. */
const MAX_KEYS = 1_000;
/** Of a key, in UTF-16 units: each is in memory, and in every scrape five times. */
const MAX_KEY_LENGTH = 512;

type Name = 'total_hits' | 'over_limit' | 'near_limit' | 'within_limit' | 'shadow_mode';

/**
 * Counts hits by limit, under the names that the reference implementation's statistics have in Prometheus. The label
 * `key` is the domain and the limit's keys and values. Beyond {@link MAX_KEYS} of them a limit counts under its key
 * without what requests bring, and beyond as many of those under `other`; so does one of more than
 * {@link MAX_KEY_LENGTH} characters. Nobody can fill the memory with values.
 */
export class EnvoyStatistics implements HitStatistics {
  readonly #counters: Readonly<Record<Name, Counter<'key'>>>;
  readonly #keys = new Set<string>();
  readonly #baseKeys = new Set<string>();

  constructor({ registry }: Metrics) {
    const counter = (name: Name, help: string) =>
      new Counter({
        name: `ratelimit_service_rate_limit_${name}`,
        help,
        labelNames: ['key'],
        registers: [registry],
      });
    this.#counters = {
      total_hits: counter('total_hits', 'Hits that were asked for.'),
      over_limit: counter('over_limit', 'Hits that had no room.'),
      near_limit: counter('near_limit', 'Hits that had room, above 80 % of the limit.'),
      within_limit: counter('within_limit', 'Hits that had room.'),
      shadow_mode: counter('shadow_mode', 'Hits that had no room, of limits in shadow mode.'),
    };
  }

  counted({ match, descriptor: { hits } }: DescriptorPlan, status: DescriptorStatus): void {
    if (match === undefined) return;
    const key = this.#keyOf(match.statKey, match.baseStatKey);
    const { over, shadowOver, currentLimit, remaining } = status;
    this.#counters.total_hits.inc({ key }, hits);
    if (shadowOver) this.#counters.shadow_mode.inc({ key }, hits);
    if (over || shadowOver) {
      this.#counters.over_limit.inc({ key }, hits);
      return;
    }
    this.#counters.within_limit.inc({ key }, hits);
    if (currentLimit === undefined) return;
    const { requestsPerUnit } = currentLimit;
    const near = requestsPerUnit - remaining - Math.floor(requestsPerUnit * NEAR);
    if (near > 0) this.#counters.near_limit.inc({ key }, Math.min(hits, near));
  }

  #keyOf(key: string, baseKey: string): string {
    if (isKept(this.#keys, key)) return key;
    return isKept(this.#baseKeys, baseKey) ? baseKey : 'other';
  }
}

function isKept(keys: Set<string>, key: string): boolean {
  if (key.length > MAX_KEY_LENGTH) return false;
  if (keys.has(key)) return true;
  if (keys.size >= MAX_KEYS) return false;
  keys.add(key);
  return true;
}
