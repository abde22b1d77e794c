import type { Sample } from './told-metric.ts';

/** Buckets for times in seconds: from half a millisecond, a check's time, to ten seconds. */
export const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Observations by bucket, as plain numbers. */
export class PlainHistogram {
  readonly #bounds: readonly number[];
  /** One a bound, not cumulated, and one above the last. */
  readonly #counts: number[];
  #sum = 0;

  /** @param bounds upper ends of the buckets, ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at += 1;
    (this.#counts[at] as number) += 1;
    this.#sum += value;
  }

  /** The lines of a histogram of this name. */
  samples(name: string, labels: Sample['labels'] = {}): readonly Sample[] {
    const samples: Sample[] = [];
    let count = 0;
    for (const [at, each] of this.#counts.entries()) {
      count += each;
      const le = this.#bounds[at] ?? '+Inf';
      samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: count });
    }
    samples.push({ metricName: `${name}_sum`, labels, value: this.#sum });
    samples.push({ metricName: `${name}_count`, labels, value: count });
    return samples;
  }
}
