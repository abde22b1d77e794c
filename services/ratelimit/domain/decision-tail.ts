import type { Check } from './check.ts';
import { type Clock, epochMicros } from './clock.ts';
import { type Decision, decidingOutcome } from './decision.ts';
import { type SeenDecision, type TailEvent, type TailFilter, TailWatcher } from './tail-watcher.ts';

/** Readers of one process’s decisions at a time. So many cost a decision some 0.4 µs. */
export const MAX_WATCHERS = 16;

/** All places of those who watch decisions are taken. */
export class TooManyWatchers extends Error {
  readonly most = MAX_WATCHERS;

  constructor() {
    super(`${MAX_WATCHERS} watch already`);
    this.name = 'TooManyWatchers';
  }
}

/**
 * Shows the decisions of this process to those who watch, as they are made. Whoever reads too slowly loses some and is
 * told how many; the decisions themselves never wait. Identifiers are shown as they are, since operators look for them:
 * watching is for those who may see them.
 */
export class DecisionTail {
  readonly #clock: Clock;
  /** A new array with each change, so that push() may go through it at any moment. */
  #watchers: readonly TailWatcher[] = [];

  /** @param clock default: {@link epochMicros} */
  constructor(clock: Clock = epochMicros) {
    this.#clock = clock;
  }

  /** How many watch now. */
  get watchers(): number {
    return this.#watchers.length;
  }

  /** Shows a decision to those who want to see it. Where nobody watches it costs a comparison. */
  push(check: Check, decision: Decision): void {
    if (this.#watchers.length === 0) return;
    const { endpoint, identifier, cost } = decidingOutcome(decision.outcomes)?.term ?? check;
    const denied = !decision.allowed || decision.shadowDenied;
    let seen: SeenDecision | undefined;
    for (const watcher of this.#watchers) {
      if (!watcher.wants(endpoint, identifier, denied)) continue;
      seen ??= { atMicros: this.#clock(), endpoint, identifier, cost: Math.max(1, cost), decision };
      watcher.push(seen);
    }
  }

  /**
   * The decisions that pass a filter, from now until the signal is aborted; it ends with the signal's reason. A place
   * is taken from the first read to the end.
   *
   * @throws TooManyWatchers from the first read
   */
  async *watch(filter: TailFilter, signal: AbortSignal): AsyncGenerator<TailEvent> {
    if (this.#watchers.length >= MAX_WATCHERS) throw new TooManyWatchers();
    const watcher = new TailWatcher(filter);
    this.#watchers = [...this.#watchers, watcher];
    try {
      yield* watcher.read(signal);
    } finally {
      this.#watchers = this.#watchers.filter((each) => each !== watcher);
    }
  }
}
