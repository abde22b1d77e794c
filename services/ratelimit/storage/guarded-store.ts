import { setTimeout } from 'node:timers/promises';
import type { CheckTerm } from '../domain/check-plan.ts';
import { type Clock, epochMicros } from '../domain/clock.ts';
import type { DecisionStore, Verdict, VerdictSource } from '../domain/decision-store.ts';
import { StoreAway } from '../domain/errors.ts';
import type { Ask, Taken } from '../domain/limit-store.ts';
import { Breaker, type BreakerState } from './breaker.ts';
import { LocalFallback } from './local-fallback.ts';
import type { RedisStore } from './redis-store.ts';
import { Settler } from './settler.ts';
import { KeyUnusable, StoreUnavailable } from './store-errors.ts';

export interface BreakerChange {
  /** The shard; '' unless in a cluster. */
  readonly lane: string;
  readonly state: BreakerState;
  /** For a log: what failed, or that Redis is back. Nothing secret. */
  readonly reason: string;
}

export interface GuardedStoreOptions {
  readonly redis: RedisStore;
  /** How many processes share the limits, as of when Redis was last reached. Default: 1. */
  readonly processes?: () => number;
  /** How often Redis is probed, in ms. Default: 250. */
  readonly probeEveryMs?: number;
  /** Default: {@link epochMicros}. */
  readonly clock?: Clock;
  /** Most keys that are counted while Redis is away, and most that then owe something. Default: 1,000,000. */
  readonly maxKeys?: number;
  /** Called once for each change, whatever number of checks failed. */
  readonly onChange?: (change: BreakerChange) => void;
  /** Called for keys that a healthy Redis cannot count, at most once a second. */
  readonly onKeyUnusable?: (error: KeyUnusable) => void;
}

const LEAST_RETRY_MICROS = 1_000_000;
const REPORT_EVERY_MICROS = 1_000_000;

/**
 * Redis behind circuit breakers, one a lane: always an answer, by the rules' `onStoreFailure` where Redis gives none.
 * The terms of an ask lie in one lane.
 *
 * The first failure opens a breaker, and from then on answers come at once, without Redis. Probes close it again within
 * two intervals of Redis's return, after a real write has worked, and after what was taken locally meanwhile was added
 * to Redis: the last of that goes out in the turn in which the breaker closes, so that the first check is decided after
 * it. While closed the probes find a Redis that died or hangs before any check has to pay for that. Breakers start open,
 * so that a service can start without Redis.
 *
 * A key that Redis refuses (another type lies under it) is answered by the rule's policy too, for that check only:
 * Redis is well, and the other keys go on being counted there. What is taken of it locally is not owed to Redis.
 */
export class GuardedStore implements DecisionStore, Disposable {
  readonly #redis: RedisStore;
  readonly #local: LocalFallback;
  readonly #settler: Settler;
  readonly #clock: Clock;
  readonly #onChange: (change: BreakerChange) => void;
  readonly #onKeyUnusable: (error: KeyUnusable) => void;
  readonly #breakers = new Map<string, Breaker>();
  readonly #timer: NodeJS.Timeout;
  #nextReportMicros = 0;

  constructor(options: GuardedStoreOptions) {
    const { redis, processes = () => 1, probeEveryMs = 250, clock = epochMicros, maxKeys } = options;
    this.#redis = redis;
    this.#clock = clock;
    this.#onChange = options.onChange ?? (() => undefined);
    this.#onKeyUnusable = options.onKeyUnusable ?? (() => undefined);
    this.#local = new LocalFallback({
      processes,
      laneOf: (key) => redis.laneOf(key),
      retryMicros: Math.max(probeEveryMs * 1000, LEAST_RETRY_MICROS),
      clock,
      ...(maxKeys === undefined ? {} : { maxKeys }),
    });
    this.#settler = new Settler(redis, this.#local.debts);
    this.#timer = setInterval(() => this.#tick(), probeEveryMs).unref();
  }

  /** `OPEN` where any lane is, or none is known yet. */
  get state(): BreakerState {
    if (this.#breakers.size === 0) return 'OPEN';
    for (const { state } of this.#breakers.values()) {
      if (state === 'OPEN') return 'OPEN';
    }
    return 'CLOSED';
  }

  /** Why, for health and logs: of the first lane that is away. */
  get reason(): string {
    let reason = 'not probed yet';
    for (const breaker of this.#breakers.values()) {
      if (breaker.state === 'OPEN') return breaker.reason;
      reason = breaker.reason;
    }
    return reason;
  }

  /** State by lane: of all that are known now. */
  *states(): Iterable<readonly [lane: string, state: BreakerState]> {
    for (const [lane, { state }] of this.#breakers) yield [lane, state];
  }

  decide(ask: Ask<CheckTerm>): Promise<Verdict> | Verdict {
    const breaker = this.#breakerOf((ask.terms[0] as CheckTerm).key);
    if (breaker.state === 'OPEN') return this.#local.decide(ask, true);
    const { epoch } = breaker;
    return this.#redis.decide(ask).then(
      (states) => ({ source: 'REDIS', states }),
      (error: unknown) => {
        if (error instanceof KeyUnusable) {
          this.report(error);
          return this.#local.decide(ask, false);
        }
        if (!(error instanceof StoreUnavailable)) throw error;
        breaker.fail(epoch, error.message);
        return this.#local.decide(ask, true);
      },
    );
  }

  /**
   * Gives back what was taken. Of what was taken locally and is settled since, leases alone can be given back; other
   * units are there until they run out.
   *
   * @throws StoreAway also for leases that were taken locally, where Redis may know of them and can't be asked.
   */
  async refund(
    id: string,
    parts: readonly Taken[],
    source: VerdictSource,
    oneOff = false,
  ): Promise<readonly number[]> {
    if (source !== 'FALLBACK_LOCAL') {
      return await this.#ask(parts, () => this.#redis.refund(id, parts, oneOff));
    }
    const { units, owed } = this.#local.refund(id, parts, oneOff);
    const settled = parts.filter((part, at) => isLease(part) && owed[at] === 0);
    if (settled.length === 0) return units;
    const given = await this.#ask(settled, () => this.#redis.refund(id, settled, oneOff));
    return parts.map((part, at) => Math.max(units[at] ?? 0, given[settled.indexOf(part)] ?? 0));
  }

  /** @throws StoreAway also for leases that were taken locally and that this process doesn't know. */
  async renew(id: string, parts: readonly Taken[], source: VerdictSource): Promise<readonly number[]> {
    if (source !== 'FALLBACK_LOCAL') return await this.#ask(parts, () => this.#redis.renew(id, parts));
    const local = this.#local.renew(id, parts);
    const owed = parts.map((part) => this.#local.debts.renew(part, id));
    const settled: Taken[] = [];
    for (const [at, part] of parts.entries()) {
      if ((owed[at] ?? 0) > 0) continue;
      if (this.#breakerOf(part.key).state === 'CLOSED' || local[at] === 0) settled.push(part);
      // Settled before, and away again: the longer lease is owed now.
      else this.#local.debts.add(part, id);
    }
    const ends = parts.map((_, at) => Math.max(local[at] ?? 0, owed[at] ?? 0));
    if (settled.length === 0) return ends;
    const there = await this.#ask(settled, () => this.#redis.renew(id, settled));
    return parts.map((part, at) => there[settled.indexOf(part)] ?? ends[at] ?? 0);
  }

  async reset(keys: readonly string[]): Promise<number> {
    const local = this.#local.reset(keys);
    const there = await this.#ask(
      keys.map((key) => ({ key })),
      () => this.#redis.reset(keys),
    );
    return Math.max(local, there);
  }

  /** Probes all lanes now instead of at the next interval; tells {@link state} after that. Never rejects. */
  async probe(): Promise<BreakerState> {
    this.#followLanes();
    await Promise.all([...this.#breakers.values()].map((breaker) => breaker.probe()));
    return this.state;
  }

  /**
   * Waits until Redis counts, `withinMs` at most: a service that starts beside a healthy Redis so gives no fallback
   * answer while it connects. Tells the state then; never rejects.
   */
  async untilClosed(withinMs: number): Promise<BreakerState> {
    const deadline = performance.now() + withinMs;
    while ((await this.probe()) === 'OPEN' && performance.now() < deadline) await setTimeout(10);
    return this.state;
  }

  /** Tells `onKeyUnusable` of a key, at most once a second: it may be one that every request asks for. */
  report(error: KeyUnusable): void {
    const now = this.#clock();
    if (now < this.#nextReportMicros) return;
    this.#nextReportMicros = now + REPORT_EVERY_MICROS;
    this.#onKeyUnusable(error);
  }

  /** Stops probing and forgets local counts. Whoever made the store of Redis disposes of it. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#local[Symbol.dispose]();
  }

  #tick(): void {
    this.#followLanes();
    this.#local.debts.sweep();
    for (const [lane, breaker] of this.#breakers) {
      void breaker.probe();
      // Of a check that was sent before the breaker opened, and failed after it closed again.
      if (breaker.state === 'CLOSED' && this.#local.debts.sizeOf(lane) > 0)
        this.#settleRest(lane, breaker.epoch);
    }
  }

  /** Drops the breakers of lanes that are no more, and begins with those that are new. */
  #followLanes(): void {
    const lanes = this.#redis.lanes();
    for (const lane of this.#breakers.keys()) {
      if (!lanes.includes(lane)) this.#breakers.delete(lane);
    }
    this.#local.debts.followLanes(lanes);
    for (const lane of lanes) this.#breakerFor(lane);
  }

  #breakerOf(key: string): Breaker {
    return this.#breakerFor(this.#redis.laneOf(key));
  }

  #breakerFor(lane: string): Breaker {
    let breaker = this.#breakers.get(lane);
    if (breaker === undefined) {
      breaker = new Breaker({
        ping: () => this.#redis.ping(lane),
        prepare: () => this.#redis.prepare(lane),
        recover: () => this.#settler.most(lane),
        onClosing: (epoch) => this.#settleRest(lane, epoch),
        onChange: (state, reason) => this.#onChange({ lane, state, reason }),
      });
      this.#breakers.set(lane, breaker);
      void breaker.probe();
    }
    return breaker;
  }

  #settleRest(lane: string, epoch: number): void {
    this.#settler.rest(lane).catch((error: unknown) => {
      if (!(error instanceof StoreUnavailable)) throw error;
      this.#breakers.get(lane)?.fail(epoch, error.message);
    });
  }

  /** For what only Redis can do: none of it where a lane of the parts is away. */
  async #ask<T>(parts: readonly { readonly key: string }[], call: () => Promise<T>): Promise<T> {
    const breakers = new Set(parts.map(({ key }) => this.#breakerOf(key)));
    for (const { state, reason } of breakers) {
      if (state === 'OPEN') throw new StoreAway(reason);
    }
    const epochs = [...breakers].map((breaker) => [breaker, breaker.epoch] as const);
    try {
      return await call();
    } catch (error) {
      if (error instanceof KeyUnusable) this.report(error);
      else if (!(error instanceof StoreUnavailable)) throw error;
      // Which of several lanes failed can't be told; their own probes will.
      else if (epochs.length === 1) for (const [breaker, epoch] of epochs) breaker.fail(epoch, error.message);
      throw new StoreAway(error.message);
    }
  }
}

function isLease({ limit }: Taken): boolean {
  return limit.algorithm === 'CONCURRENCY';
}
