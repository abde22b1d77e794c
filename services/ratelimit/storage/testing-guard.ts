import { expect, onTestFinished } from 'vitest';
import { type RedisTarget, singleRedis } from '../../../runtime/redis-target.ts';
import { type RedisServer, type RedisServerOptions, startRedis } from '../../../stack/redis-server.ts';
import type { CheckTerm } from '../domain/check-plan.ts';
import type { Verdict } from '../domain/decision-store.ts';
import { type BreakerChange, GuardedStore } from './guarded-store.ts';
import { RedisStore } from './redis-store.ts';
import type { KeyUnusable } from './store-errors.ts';
import { killRedis } from './testing-redis.ts';
import { askFor } from './testing-terms.ts';

export const BUDGET_MS = 50;
/** What the timers of a busy test machine may add. */
export const SLACK_MS = 150;

/** A guarded store on a Redis that may not be there, and what it reported. It goes with the test. */
export function guard(where: string | RedisTarget, processes = 1) {
  const target = typeof where === 'string' ? singleRedis(where) : where;
  const redis = new RedisStore({ target, budgetMs: BUDGET_MS });
  const changes: BreakerChange[] = [];
  const unusable: KeyUnusable[] = [];
  const store = new GuardedStore({
    redis,
    processes: () => processes,
    onChange: (change) => changes.push(change),
    onKeyUnusable: (error) => unusable.push(error),
  });
  onTestFinished(async () => {
    store[Symbol.dispose]();
    await redis[Symbol.asyncDispose]();
  });
  const ask = async (...terms: readonly CheckTerm[]): Promise<Verdict> => await store.decide(askFor(terms));
  return { store, redis, changes, unusable, ask };
}

/** The same, once Redis counts. */
export async function guardClosed(where: string | RedisTarget, processes = 1) {
  const guarded = guard(where, processes);
  expect(await guarded.store.untilClosed(3_000)).toBe('CLOSED');
  return guarded;
}

/** A Redis for one test. */
export async function ownRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options);
  onTestFinished(() => killRedis(server));
  return server;
}

export function closedWithinASecond(store: GuardedStore) {
  return expect.poll(() => store.state, { timeout: 1_000, interval: 5 }).toBe('CLOSED');
}

export function opensWithinASecond(store: GuardedStore) {
  return expect.poll(() => store.state, { timeout: 1_000, interval: 1 }).toBe('OPEN');
}
