import { ALGORITHMS, type Algorithm } from '../../services/ratelimit/domain/algorithm.ts';

/** What the terms of one algorithm were answered. */
export interface AlgorithmTally {
  allowed: number;
  denied: number;
  peeks: number;
  /** Units. */
  taken: number;
  /** Units. */
  refunded: number;
  /** Answers that the oracle takes either way: within the algorithm's bound, or because of an edit. */
  within: number;
  /** Over-admissions and wrong denials. */
  faults: number;
}

export interface Tally {
  calls: number;
  readonly operations: Record<'check' | 'peek' | 'refund' | 'renew' | 'settle' | 'reset' | 'edit', number>;
  readonly algorithms: Record<Algorithm, AlgorithmTally>;
  readonly faults: Record<'DISAGREEMENT' | 'OVER_ADMISSION' | 'WRONG_DENIAL', number>;
}

export function newTally(): Tally {
  const algorithm = () => ({ allowed: 0, denied: 0, peeks: 0, taken: 0, refunded: 0, within: 0, faults: 0 });
  return {
    calls: 0,
    operations: { check: 0, peek: 0, refund: 0, renew: 0, settle: 0, reset: 0, edit: 0 },
    algorithms: Object.fromEntries(ALGORITHMS.map((name) => [name, algorithm()])) as Tally['algorithms'],
    faults: { DISAGREEMENT: 0, OVER_ADMISSION: 0, WRONG_DENIAL: 0 },
  };
}
