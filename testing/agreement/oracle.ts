import type { Algorithm } from '../../services/ratelimit/domain/algorithm.ts';
import type { Limit } from '../../services/ratelimit/domain/limit.ts';
import type { Debt } from '../../services/ratelimit/domain/limit-model.ts';
import { BucketOracle } from './bucket-oracle.ts';
import { CounterOracle } from './counter-oracle.ts';
import { FixedOracle } from './fixed-oracle.ts';
import { LeaseOracle } from './lease-oracle.ts';
import { LogOracle } from './log-oracle.ts';

/** `EITHER`: where the algorithm's bound leaves it open, or an edit of the limit does. */
export type Room = 'YES' | 'NO' | 'EITHER';

/**
 * Knows whether one key has room, from the definition of its algorithm and from what was taken: straightforward, slow,
 * and without a line of the models or scripts that it judges. All times in epoch µs.
 */
export interface Oracle {
  room(clock: number, cost: number, limit: Limit, lease: string): Room;
  take(clock: number, cost: number, limit: Limit, lease: string): void;
  /** @param given units that were given back, as was answered */
  refund(clock: number, given: number, part: GivenBack, lease: string): void;
  settle(clock: number, debt: Debt, limit: Limit): void;
  /** Only leases can be renewed. */
  renew?(cost: number, lease: string, endMicros: number): void;
}

export interface GivenBack {
  readonly limit: Limit;
  readonly cost: number;
  readonly resetMicros: number;
}

export function newOracle(algorithm: Algorithm): Oracle {
  switch (algorithm) {
    case 'SLIDING_WINDOW_LOG':
      return new LogOracle();
    case 'SLIDING_WINDOW_COUNTER':
      return new CounterOracle();
    case 'TOKEN_BUCKET':
      return new BucketOracle();
    case 'FIXED_WINDOW':
      return new FixedOracle();
    case 'CONCURRENCY':
      return new LeaseOracle();
  }
}
