/**
 * How units are counted. docs/rate-limiting.md has each one's exactness and memory.
 *
 * - `SLIDING_WINDOW_LOG`: the time of every unit; exact. For limits up to {@link MAX_LOG_UNITS}.
 * - `SLIDING_WINDOW_COUNTER`: one count for each tenth of a window; never admits too much, and holds a unit for up to a
 *   tenth of the window too long.
 * - `TOKEN_BUCKET`: GCRA (ITU-T I.371): refills steadily, admits a burst at once; exact.
 * - `FIXED_WINDOW`: one count, begun anew at every multiple of the window since the epoch.
 * - `CONCURRENCY`: units held at one time, each until it is given back or its lease ends.
 */
export type Algorithm =
  | 'SLIDING_WINDOW_LOG'
  | 'SLIDING_WINDOW_COUNTER'
  | 'TOKEN_BUCKET'
  | 'FIXED_WINDOW'
  | 'CONCURRENCY';

export const ALGORITHMS: readonly Algorithm[] = [
  'SLIDING_WINDOW_LOG',
  'SLIDING_WINDOW_COUNTER',
  'TOKEN_BUCKET',
  'FIXED_WINDOW',
  'CONCURRENCY',
];

/** A full log of this size takes some 10 MB of Redis and tens of milliseconds to write at once: the sane end. */
export const MAX_LOG_UNITS = 100_000;
/** The most units of every other algorithm. */
export const MAX_UNITS = 1_000_000_000;
export const MIN_WINDOW_MICROS = 1_000;
export const MAX_WINDOW_MICROS = 400 * 86_400 * 1_000_000;
/** Parts that `SLIDING_WINDOW_COUNTER` cuts a window into. */
export const COUNTER_PARTS = 10;
