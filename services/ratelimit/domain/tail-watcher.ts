import { setTimeout as sleep } from 'node:timers/promises';
import type { Decision } from './decision.ts';

/** Decisions that wait for a watcher. */
const RING_SIZE = 1_024;
/** A watcher is sent so many and then none for a while, at most 1,000 a second: showing must not outweigh deciding. */
const TURN_EVENTS = 100;
const TURN_MS = 100;

/** Which decisions a watcher wants to see. */
export interface TailFilter {
  /** Only this endpoint; empty means all. */
  readonly endpoint: string;
  /** Only identifiers that begin with this; empty means all. */
  readonly identifierPrefix: string;
  /** Only denials, also those by a shadow limit. */
  readonly deniedOnly: boolean;
  /** The share of the matching decisions to show: above 0 to 1. */
  readonly sampleRate: number;
}

/** A decision and what it was about: the key whose limit decided. */
export interface SeenDecision {
  readonly atMicros: number;
  readonly endpoint: string;
  readonly identifier: string;
  /** Units. */
  readonly cost: number;
  readonly decision: Decision;
}

export interface TailEvent extends SeenDecision {
  /** Matching decisions that were lost since the event before, since they came faster than they were read. */
  readonly dropped: number;
}

/** One reader of the tail, with a queue that drops the oldest. */
export class TailWatcher {
  readonly #filter: TailFilter;
  readonly #ring: (SeenDecision | undefined)[] = [];
  #next = 0;
  #waiting = 0;
  #dropped = 0;
  #wake: (() => void) | undefined;

  constructor(filter: TailFilter) {
    this.#filter = filter;
  }

  /** Whether a decision is to be shown. Throws the dice for the sample. */
  wants(endpoint: string, identifier: string, denied: boolean): boolean {
    const filter = this.#filter;
    return (
      (denied || !filter.deniedOnly) &&
      (filter.endpoint === '' || filter.endpoint === endpoint) &&
      identifier.startsWith(filter.identifierPrefix) &&
      (filter.sampleRate >= 1 || Math.random() < filter.sampleRate)
    );
  }

  push(seen: SeenDecision): void {
    if (this.#waiting === RING_SIZE) {
      this.#next = (this.#next + 1) % RING_SIZE;
      this.#waiting -= 1;
      this.#dropped += 1;
    }
    this.#ring[(this.#next + this.#waiting) % RING_SIZE] = seen;
    this.#waiting += 1;
    this.#wakeUp();
  }

  /** The decisions as they come. Ends with the signal's reason. */
  async *read(signal: AbortSignal): AsyncGenerator<TailEvent> {
    const onAbort = () => this.#wakeUp();
    signal.addEventListener('abort', onAbort);
    try {
      for (let sent = 1; ; sent += 1) {
        yield await this.#take(signal);
        // Its rejection is the signal's, which #take() tells of.
        if (sent % TURN_EVENTS === 0) await sleep(TURN_MS, undefined, { signal }).catch(() => undefined);
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #wakeUp(): void {
    const wake = this.#wake;
    if (wake === undefined) return;
    this.#wake = undefined;
    wake();
  }

  async #take(signal: AbortSignal): Promise<TailEvent> {
    signal.throwIfAborted();
    if (this.#waiting === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      signal.throwIfAborted();
    }
    const seen = this.#ring[this.#next] as SeenDecision;
    this.#ring[this.#next] = undefined;
    this.#next = (this.#next + 1) % RING_SIZE;
    this.#waiting -= 1;
    const dropped = this.#dropped;
    this.#dropped = 0;
    return { ...seen, dropped };
  }
}
