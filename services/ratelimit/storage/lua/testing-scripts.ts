import type { Redis } from 'ioredis';
import { decideTerms } from '../../domain/decide-terms.ts';
import type { Debt, LimitModel } from '../../domain/limit-model.ts';
import type { Ask, LimitState, Taken, Term } from '../../domain/limit-store.ts';
import { newModel } from '../../domain/new-model.ts';
import { DECIDE, limitSpec, REFUND, RENEW, type Script, SETTLE } from '../scripts.ts';

const CLOCK = "redis.call('TIME')";
const SLACK = 'EXPIRY_SLACK_MS = 1000';

/** What a script says to one term; `error` where the key holds something else. */
export type Answer = LimitState | { readonly error: string };

/**
 * The production script, but for two lines: the one that reads the clock, which takes the last argument instead, and
 * the slack of expiry, so that a key outlives a test whose clock stands still.
 */
export function timed(script: Script, slackMs = 60_000): string {
  return script.source
    .replace(CLOCK, '{ string.sub(ARGV[#ARGV], 1, -7), string.sub(ARGV[#ARGV], -6) }')
    .replace(SLACK, `EXPIRY_SLACK_MS = ${slackMs}`);
}

/** Runs the scripts as of any time. */
export class TimedScripts {
  readonly #redis: Redis;
  readonly #slackMs: number | undefined;

  constructor(redis: Redis, slackMs?: number) {
    this.#redis = redis;
    this.#slackMs = slackMs;
  }

  async decide(clock: number, asks: readonly Ask[]): Promise<Answer[][]> {
    const keys = asks.flatMap(({ terms }) => terms.map(({ key }) => key));
    const reply = await this.#run(DECIDE, keys, asks.flatMap(askArguments), clock);
    let at = 0;
    return asks.map(({ terms }) => terms.map(() => answerAt(reply, 4 * at++)));
  }

  refund(clock: number, id: string, parts: readonly Taken[], marker: string): Promise<unknown[]> {
    const values = parts.flatMap(({ limit, cost, resetMicros }) => [limitSpec(limit), cost, resetMicros]);
    return this.#run(REFUND, [marker, ...parts.map(({ key }) => key)], [id, 60_000, ...values], clock);
  }

  renew(clock: number, id: string, parts: readonly Taken[]): Promise<unknown[]> {
    const values = parts.flatMap(({ limit, cost }) => [limitSpec(limit), cost]);
    return this.#run(RENEW, keysOf(parts), [id, ...values], clock);
  }

  /** Cost of a part doesn't matter. */
  settle(
    clock: number,
    parts: readonly (Pick<Term, 'key' | 'limit'> & { debt: Debt })[],
  ): Promise<unknown[]> {
    const values = parts.flatMap(({ limit, debt }) => [limitSpec(limit), debt.length, ...debt]);
    return this.#run(SETTLE, keysOf(parts), values, clock);
  }

  async #run(script: Script, keys: string[], values: (string | number)[], clock: number): Promise<unknown[]> {
    const source = timed(script, this.#slackMs);
    return (await this.#redis.eval(source, keys.length, ...keys, ...values, clock)) as unknown[];
  }
}

/** The same operations over the reference models. */
export class ModelScripts {
  readonly models = new Map<string, LimitModel>();
  readonly #refunded = new Set<string>();

  decide(clock: number, asks: readonly Ask[]): LimitState[][] {
    return asks.map((ask) =>
      decideTerms(
        clock,
        ask,
        ask.terms.map((term) => this.#modelOf(term)),
      ),
    );
  }

  refund(clock: number, id: string, parts: readonly Taken[]): number[] {
    const first = !this.#refunded.has(id);
    this.#refunded.add(id);
    return parts.map((part) =>
      first ? this.#modelOf(part).refund(clock, part.cost, part.resetMicros, part.limit, id) : 0,
    );
  }

  renew(clock: number, id: string, parts: readonly Taken[]): number[] {
    return parts.map((part) => this.#modelOf(part).renew(clock, part.cost, part.limit, id));
  }

  settle(clock: number, parts: readonly (Pick<Term, 'key' | 'limit'> & { debt: Debt })[]): unknown[] {
    for (const part of parts) this.#modelOf(part).settle(clock, part.debt, part.limit);
    return [];
  }

  #modelOf({ key, limit }: Pick<Term, 'key' | 'limit'>): LimitModel {
    const model = this.models.get(key) ?? newModel(limit.algorithm);
    this.models.set(key, model);
    return model;
  }
}

function askArguments({ terms, peek, lease }: Ask): (string | number)[] {
  const values = terms.flatMap(({ limit, cost }) => [
    limitSpec(limit),
    limit.algorithm === 'CONCURRENCY' ? `${cost}:${lease}` : cost,
  ]);
  return [peek ? -terms.length : terms.length, ...values];
}

function answerAt(reply: readonly unknown[], at: number): Answer {
  const [code, remaining, resetMicros, retryAfterMicros] = reply.slice(at, at + 4);
  if (code === -1) return { error: String(remaining) };
  return { allowed: code === 1, remaining, resetMicros, retryAfterMicros } as LimitState;
}

function keysOf(parts: readonly { key: string }[]): string[] {
  return parts.map(({ key }) => key);
}
