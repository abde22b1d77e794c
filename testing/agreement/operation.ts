import type { Debt } from '../../services/ratelimit/domain/limit-model.ts';

/** A key by its number among {@link contestedKeys}, and its limit by its number among the key's versions. */
export type LimitRef = readonly [key: number, version: number];

export type AskOperation = readonly [
  peek: 0 | 1,
  lease: string,
  terms: readonly (readonly [...LimitRef, cost: number])[],
];

export type TakenPart = readonly [...LimitRef, cost: number, resetMicros: number];

/** What a process does in one call of a script, at one time. */
export type Operation =
  | { readonly kind: 'decide'; readonly asks: readonly AskOperation[] }
  | { readonly kind: 'refund' | 'renew'; readonly id: string; readonly parts: readonly TakenPart[] }
  | { readonly kind: 'settle'; readonly entries: readonly (readonly [...LimitRef, debt: Debt])[] }
  | { readonly kind: 'reset'; readonly keys: readonly number[] };

/** What a process tells of each call. One line of JSON. */
export interface CallRecord {
  /** Place among all calls of all processes, from 1: the order in which Redis ran them. */
  readonly sequence: number;
  /** What the process took for the time. */
  readonly clock: number;
  readonly operation: Operation;
  /** As Redis gave it. */
  readonly reply: unknown;
}

/** The last line of each process. */
export interface WorkerEnd {
  /** How often a limit was another than at the process's last look. */
  readonly edits: number;
}
