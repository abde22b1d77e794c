import { setTimeout } from 'node:timers/promises';
import { type Clock, epochMicros } from '../domain/clock.ts';
import { counted, type Decision, failedClosed, uncounted } from '../domain/decision.ts';
import type { DecisionStore } from '../domain/decision-store.ts';
import type { Rule } from '../domain/rule.ts';
import type { MemoryStore } from './memory-store.ts';
import type { RedisStore } from './redis-store.ts';
import { KeyUnusable, StoreUnavailable } from './store-errors.ts';

/** `CLOSED`: Redis counts. `OPEN`: Redis is away, and the rules' fail policies answer. */
export type BreakerState = 'CLOSED' | 'OPEN';

export interface BreakerChange {
  readonly state: BreakerState;
  /** For a log: what failed, or that Redis is back. Nothing secret. */
  readonly reason: string;
}

export interface GuardedStoreOptions {
  readonly redis: RedisStore;
  /** Counts for `FAIL_LOCAL` rules while Redis is away. */
  readonly local: MemoryStore;
  /** How often Redis is probed, in ms. Default: 250. */
  readonly probeEveryMs?: number;
  /** Default: {@link epochMicros}. */
  readonly clock?: Clock;
  /** Called once for each change, whatever number of checks failed. */
  readonly onChange?: (change: BreakerChange) => void;
  /** Called for keys that a healthy Redis cannot count, at most once a second. */
  readonly onKeyUnusable?: (error: KeyUnusable) => void;
}

const LEAST_RETRY_MICROS = 1_000_000;
const REPORT_EVERY_MICROS = 1_000_000;

/**
 * Redis behind a circuit breaker: always an answer, by the rule's `onStoreFailure` where Redis gives none.
 *
 * The first failure opens the breaker, and from then on answers come at once, without Redis. A probe closes it again
 * within two intervals of Redis's return, after a real check has worked. While closed the same probe finds a Redis
 * that died or hangs before any check has to pay for that. It starts open, so that a service can start without Redis.
 *
 * A key that Redis refuses (another type lies under it) is answered by the rule's policy too, for that check only:
 * Redis is well, and the other keys go on being counted there.
 */
export class GuardedStore implements DecisionStore, Disposable {
  readonly #redis: RedisStore;
  readonly #local: MemoryStore;
  readonly #probeEveryMs: number;
  readonly #clock: Clock;
  readonly #onChange: (change: BreakerChange) => void;
  readonly #onKeyUnusable: (error: KeyUnusable) => void;
  #state: BreakerState = 'OPEN';
  #reason = 'not probed yet';
  /** Grows whenever the breaker closes: a check sent before that tells nothing about Redis since. */
  #epoch = 0;
  #nextReportMicros = 0;
  #probing: Promise<BreakerState> | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(options: GuardedStoreOptions) {
    this.#redis = options.redis;
    this.#local = options.local;
    this.#probeEveryMs = options.probeEveryMs ?? 250;
    this.#clock = options.clock ?? epochMicros;
    this.#onChange = options.onChange ?? (() => undefined);
    this.#onKeyUnusable = options.onKeyUnusable ?? (() => undefined);
    this.#timer = setInterval(() => void this.probe(), this.#probeEveryMs).unref();
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Why the breaker is in its state; for health and logs. */
  get reason(): string {
    return this.#reason;
  }

  decide(rule: Rule, key: string, cost: number): Promise<Decision> | Decision {
    if (this.#state === 'OPEN') return this.#fallBack(rule, key, cost);
    const epoch = this.#epoch;
    return this.#redis.take(key, cost, rule.limit, rule.windowMicros).then(
      (state) => counted(rule, state, 'REDIS'),
      (error: unknown) => {
        if (error instanceof KeyUnusable) this.#report(error);
        else if (!(error instanceof StoreUnavailable)) throw error;
        else if (epoch === this.#epoch) this.#become('OPEN', error.message);
        return this.#fallBack(rule, key, cost);
      },
    );
  }

  /** Probes Redis now instead of at the next interval; tells the state after that. Never rejects. */
  probe(): Promise<BreakerState> {
    this.#probing ??= this.#probe().finally(() => {
      this.#probing = undefined;
    });
    return this.#probing;
  }

  /**
   * Waits until Redis counts, `withinMs` at most: a service that starts beside a healthy Redis so gives no fallback
   * answer while it connects. Tells the state then; never rejects.
   */
  async untilClosed(withinMs: number): Promise<BreakerState> {
    const deadline = performance.now() + withinMs;
    while ((await this.probe()) === 'OPEN' && performance.now() < deadline) await setTimeout(10);
    return this.#state;
  }

  /** Stops probing. Whoever made the stores disposes of them. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #probe(): Promise<BreakerState> {
    if (this.#state === 'CLOSED') {
      try {
        await this.#redis.ping();
        return this.#state;
      } catch {
        // The probes' own connection may be all that broke. The one that checks use decides.
      }
    }
    try {
      await this.#redis.prepare();
      this.#become('CLOSED', 'Redis counts');
    } catch (error) {
      this.#become('OPEN', error instanceof Error ? error.message : String(error));
    }
    return this.#state;
  }

  #become(state: BreakerState, reason: string): void {
    this.#reason = reason;
    if (state === this.#state) return;
    this.#state = state;
    if (state === 'CLOSED') this.#epoch++;
    this.#onChange({ state, reason });
  }

  #fallBack(rule: Rule, key: string, cost: number): Decision {
    switch (rule.onStoreFailure) {
      case 'FAIL_LOCAL':
        return counted(rule, this.#local.take(key, cost, rule.limit, rule.windowMicros), 'FALLBACK_LOCAL');
      case 'FAIL_OPEN':
        return uncounted(rule, this.#clock(), 'FALLBACK_OPEN');
      case 'FAIL_CLOSED':
        return failedClosed(rule, this.#clock(), Math.max(this.#probeEveryMs * 1000, LEAST_RETRY_MICROS));
    }
  }

  #report(error: KeyUnusable): void {
    const now = this.#clock();
    if (now < this.#nextReportMicros) return;
    this.#nextReportMicros = now + REPORT_EVERY_MICROS;
    this.#onKeyUnusable(error);
  }
}
