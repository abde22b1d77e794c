import type { Algorithm } from './algorithm.ts';
import { Concurrency } from './concurrency.ts';
import { FixedWindow } from './fixed-window.ts';
import type { LimitModel } from './limit-model.ts';
import { SlidingWindowCounter } from './sliding-window-counter.ts';
import { SlidingWindowLog } from './sliding-window-log.ts';
import { TokenBucket } from './token-bucket.ts';

/** A model that holds nothing yet. */
export function newModel(algorithm: Algorithm): LimitModel {
  switch (algorithm) {
    case 'SLIDING_WINDOW_LOG':
      return new SlidingWindowLog();
    case 'SLIDING_WINDOW_COUNTER':
      return new SlidingWindowCounter();
    case 'TOKEN_BUCKET':
      return new TokenBucket();
    case 'FIXED_WINDOW':
      return new FixedWindow();
    case 'CONCURRENCY':
      return new Concurrency();
  }
}
