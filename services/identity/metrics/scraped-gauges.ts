import { Gauge } from 'prom-client';
import type { Metrics } from '../../../runtime/metrics/metrics.ts';

export interface ScrapedGaugesOptions<T> {
  readonly metrics: Metrics;
  /** Asks for what the gauges tell. */
  readonly read: () => Promise<T>;
  /** Told where that fails or takes too long: once, until it works again. The gauges are left out meanwhile. */
  readonly onError: (error: unknown) => void;
  /** How long a scrape may wait for it, in milliseconds. Default: 750. */
  readonly timeoutMs?: number;
}

/** What a gauge tells: a value for each set of labels. */
export type GaugeValues = readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];

/** A scrape has one second for everything that it tells. */
const TIMEOUT_MS = 750;

/**
 * Gauges of something that is asked of a store at a scrape. All of them, and all scrapes of one moment, share a reading;
 * while one hangs no other is begun, and nobody waits for it any more: the rest of the metrics is told without it.
 */
export class ScrapedGauges<T> {
  readonly #options: ScrapedGaugesOptions<T>;
  #reading: Promise<T | null> | undefined;
  #isFailing = false;

  constructor(options: ScrapedGaugesOptions<T>) {
    this.#options = options;
  }

  add(gauge: {
    readonly name: string;
    readonly help: string;
    readonly labelNames?: readonly string[];
    readonly valuesOf: (value: T) => GaugeValues;
  }): void {
    const { name, help, labelNames = [], valuesOf } = gauge;
    const read = async () => await this.#read();
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.#options.metrics.registry],
      async collect() {
        const value = await read();
        this.reset();
        // A gauge without labels is at 0 by now, and not gone.
        this.remove({});
        for (const [labels, told] of value === null ? [] : valuesOf(value)) this.set(labels, told);
      },
    });
  }

  /** Null where it can't be had in time. */
  #read(): Promise<T | null> {
    this.#reading ??= this.#begin();
    return this.#reading;
  }

  async #begin(): Promise<T | null> {
    const { read, timeoutMs = TIMEOUT_MS } = this.#options;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`there was no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const reading = read();
    const free = () => {
      this.#reading = undefined;
    };
    void reading.then(free, free);
    try {
      const value = await Promise.race([reading, late.promise]);
      this.#isFailing = false;
      return value;
    } catch (error) {
      if (!this.#isFailing) this.#options.onError(error);
      this.#isFailing = true;
      return null;
    } finally {
      clearTimeout(timer);
    }
  }
}
