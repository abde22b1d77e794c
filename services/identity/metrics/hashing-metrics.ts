import { Counter, Gauge, Histogram } from 'prom-client';
import type { Metrics } from '../../../runtime/metrics/metrics.ts';

/** From what cheap hashes take to what the dearest imported ones may, around the 40 ms of those that are made here. */
const SECONDS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5];

/** How busy the hashing of passwords is. */
export class HashingMetrics {
  readonly #durations: Histogram;
  readonly #refused: Counter;

  /** @param figures asked at a scrape */
  constructor(
    { registry }: Metrics,
    {
      queueLimit,
      figures,
    }: {
      readonly queueLimit: number;
      readonly figures: () => { readonly running: number; readonly waiting: number };
    },
  ) {
    const registers = [registry];
    new Gauge({
      name: 'optix_identity_hashing_running',
      help: 'Password hashes that are computed.',
      registers,
      collect() {
        this.set(figures().running);
      },
    });
    new Gauge({
      name: 'optix_identity_hashing_waiting',
      help: 'Password hashes that wait for their turn.',
      registers,
      collect() {
        this.set(figures().waiting);
      },
    });
    new Gauge({
      name: 'optix_identity_hashing_queue_limit',
      help: 'How many password hashes may wait before sign-ins are refused.',
      registers,
    }).set(queueLimit);
    this.#durations = new Histogram({
      name: 'optix_identity_hashing_duration_seconds',
      help: 'Time of a password hash, without its wait.',
      buckets: SECONDS,
      registers,
    });
    this.#refused = new Counter({
      name: 'optix_identity_hashing_refused_total',
      help: 'Password hashes that were refused for a full queue.',
      registers,
    });
  }

  /** Takes in a hash that was computed. */
  hashed(tookMs: number): void {
    this.#durations.observe(tookMs / 1000);
  }

  /** Counts one that was refused. */
  refused(): void {
    this.#refused.inc();
  }
}
