import { pause } from '../../../../runtime/timers.ts';
import type { TaskResult } from './maintenance-task.ts';

/**
 * Deals with some rows, at most `most` of them.
 *
 * @returns how many
 * @throws DatabaseUnavailable
 */
export type Sweep = (most: number) => Promise<number>;

export interface BatchOptions {
  /** Rows a statement: locks stay short. Default: 1000. */
  readonly size?: number;
  /** How long a run goes on, in milliseconds; then the other tasks have their turn. Default: a minute. */
  readonly budgetMs?: number;
  /** Asked after each batch: the least time without work before the next one, in milliseconds. Default: 0. */
  readonly leastPauseMs?: () => number;
}

/** Time without work after each batch, by the time that it took: at most a fifth of one connection is used. */
const PAUSE_FACTOR = 4;

/** Sweeps batch by batch, until one is not full, the time is up or the signal is aborted. */
export async function inBatches(
  signal: AbortSignal,
  sweep: Sweep,
  { size = 1000, budgetMs = 60_000, leastPauseMs = () => 0 }: BatchOptions = {},
): Promise<TaskResult> {
  const endsAt = performance.now() + budgetMs;
  let count = 0;
  while (!signal.aborted && performance.now() < endsAt) {
    const startedAt = performance.now();
    const swept = await sweep(size);
    count += swept;
    if (swept < size) return { count, hasMore: false };
    const fairMs = PAUSE_FACTOR * (performance.now() - startedAt);
    await pause(Math.max(fairMs, leastPauseMs()), signal);
  }
  return { count, hasMore: true };
}
