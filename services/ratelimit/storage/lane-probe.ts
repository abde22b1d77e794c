import { randomUUID } from 'node:crypto';
import { defineLimit } from '../domain/limit.ts';
import { isRefusal } from './insistence.ts';
import { tagIn } from './key-slot.ts';
import { nobodyHolds } from './redis-calls.ts';
import { redisFailure } from './redis-failure.ts';
import type { RedisNodes } from './redis-nodes.ts';
import { DECIDE, limitSpec } from './scripts.ts';
import { StoreUnavailable } from './store-errors.ts';
import { withinBudget } from './within-budget.ts';

const TRIAL_LIMIT = defineLimit({ limit: 1, windowMicros: 1_000 }, (field) => {
  throw new Error(`the trial's ${field} is out of bounds`);
});

/** Finds out how a lane is: a node of a cluster, else all there is. */
export class LaneProbe {
  readonly #checks: RedisNodes;
  readonly #probes: RedisNodes;
  readonly #budgetMs: number;

  /**
   * @param checks connections that checks use
   * @param probes connections of their own, so that a probe never waits behind checks
   */
  constructor(checks: RedisNodes, probes: RedisNodes, budgetMs: number) {
    this.#checks = checks;
    this.#probes = probes;
    this.#budgetMs = budgetMs;
  }

  /** Round-trip time of a PING, in ms. @throws StoreUnavailable where there is no answer within the budget. */
  async ping(lane: string): Promise<number> {
    const node = this.#probes.at(lane);
    if (!node?.isReady) {
      this.#probes.refresh();
      throw node?.away() ?? nobodyHolds();
    }
    const start = performance.now();
    try {
      await withinBudget(node.client.ping(), this.#budgetMs);
    } catch (error) {
      throw laneFailure(error);
    }
    return performance.now() - start;
  }

  /**
   * Takes a unit of a key of its own, on the connection that checks use. So it also fails on a replica, on a full
   * Redis, and where rights are missing, all of which answer PING. Having failed it replaces that connection, which may
   * be the only broken thing.
   *
   * @throws StoreUnavailable
   */
  async prepare(lane: string): Promise<void> {
    const node = this.#checks.at(lane);
    const slot = this.#checks.slotAt(lane);
    if (!node?.isReady || slot === undefined) {
      this.#checks.refresh();
      throw node?.away() ?? nobodyHolds();
    }
    try {
      const values = [1, limitSpec(TRIAL_LIMIT), 1];
      const trial = node.client.eval(DECIDE.source, 1, trialKey(slot), ...values);
      const [room, text] = (await withinBudget(trial, this.#budgetMs)) as [number, unknown];
      if (room === -1) throw new StoreUnavailable(String(text));
    } catch (error) {
      this.#checks.refresh();
      if (!isRefusal(error)) node.client.stream?.destroy();
      throw laneFailure(error);
    }
  }
}

/** A key of no limit: those have an endpoint before the brace. New each time, since a full Redis refuses only new keys. */
function trialKey(slot: number): string {
  return `ratelimit:{${tagIn(slot)}}${randomUUID()}`;
}

/** These commands are about a lane and nobody's key: all failures are its own. */
function laneFailure(error: unknown): StoreUnavailable {
  const failure = redisFailure(error);
  return failure instanceof StoreUnavailable ? failure : new StoreUnavailable(failure.message);
}
