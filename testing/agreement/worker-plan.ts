import type { LoadedScripts } from './sequenced-scripts.ts';

/** What one process of an agreement run is told. */
export interface WorkerPlan {
  readonly seed: number;
  /** Number of the process, from 0. */
  readonly process: number;
  /** How many it does at least: each ask of a call counts, and each call of another kind. */
  readonly operations: number;
  readonly redisUrl: string;
  readonly scripts: LoadedScripts;
  /** Where the clocks begin, in epoch µs. */
  readonly startMicros: number;
}
