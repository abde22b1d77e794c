import type { Algorithm } from '../domain/algorithm.ts';
import type { TriedLimit } from './suggest-limit.ts';

/** A line of the log that was left out. Lines are numbered from 1. */
export interface LeftOutLine {
  readonly line: number;
  readonly reason: string;
}

/** What was read of a log. */
export interface LogReport {
  readonly lines: number;
  /** Requests that were replayed. */
  readonly requests: number;
  readonly unreadable: { readonly count: number; readonly first: readonly LeftOutLine[] };
  /** Too long after something newer to be put in its place. */
  readonly late: { readonly count: number; readonly firstLines: readonly number[] };
  /** Not in order, and put in their place. */
  readonly sorted: number;
  /** Lines that have nobody to count against. */
  readonly withoutIdentifier: number;
  /** Lines whose path belongs to no endpoint. */
  readonly withoutEndpoint: number;
  /** Leases that were held for the whole window, since nobody knows how long the operation took. */
  readonly withoutDuration: number;
}

/** A number of requests or units, and when its window began (RFC 3339). */
export interface PeakReport {
  readonly units: number;
  readonly at: string;
}

export interface SuggestionReport {
  /** As asked for. */
  readonly deniedRatio: number;
  /** The smallest that denies no more than that; null where the algorithm has none so large. */
  readonly suggested: TriedLimit | null;
  /** One unit less, which denies more. */
  readonly below: TriedLimit | null;
  /** The smallest that denies nothing. */
  readonly withoutDenials: TriedLimit | null;
}

export interface LimitReport {
  readonly name: string;
  /** The identifier or pattern of the rule's override that has the limit; null for the rule's own. */
  readonly override: string | null;
  readonly algorithm: Algorithm;
  readonly limit: number;
  readonly burst: number;
  readonly window: string;
  readonly shadow: boolean;
  readonly requests: number;
  readonly denied: number;
  /** Of all callers together, in one window that begins at a multiple of its length since the epoch. */
  readonly peak: PeakReport;
  /** Of one caller, likewise. */
  readonly callerPeak: PeakReport & { readonly identifier: string };
  /** Null unless it was asked for, or where there was too much to keep. */
  readonly suggestion: SuggestionReport | null;
}

/** Counts of requests: allowed + denied + refused are all. */
export interface Counts {
  readonly requests: number;
  readonly allowed: number;
  readonly denied: number;
  readonly refused: number;
  readonly shadowDenied: number;
  readonly bypassed: number;
  readonly unlimited: number;
}

export interface EndpointReport extends Counts {
  readonly endpoint: string;
  /** The rule that holds for it. */
  readonly rule: string;
  readonly peakSecond: PeakReport;
  readonly peakMinute: PeakReport;
  readonly limits: readonly LimitReport[];
}

/** At most `count`, at least `count - error`. */
export interface CallerReport {
  readonly endpoint: string;
  readonly identifier: string;
  readonly count: number;
  readonly error: number;
}

/** The whole result of a simulation: the shape of `--json`, which docs/simulate.md describes. */
export interface SimulationReport {
  readonly log: LogReport;
  /** RFC 3339; null where there was no request. */
  readonly from: string | null;
  readonly to: string | null;
  /** False where there were more keys at one time than are held: some callers had their limit back early. */
  readonly exact: boolean;
  readonly total: Counts;
  readonly endpoints: readonly EndpointReport[];
  readonly mostDenied: readonly CallerReport[];
  readonly mostShadowDenied: readonly CallerReport[];
  readonly timeline: {
    readonly bucketSeconds: number;
    readonly buckets: readonly {
      readonly start: string;
      readonly allowed: number;
      readonly denied: number;
      readonly shadowDenied: number;
    }[];
  };
}
