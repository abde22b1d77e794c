import type { KeyUnusable, StoreUnavailable } from './store-errors.ts';

/** What Redis is asked to do: one of the scripts, or to forget keys. */
export type RedisCallName = 'decide' | 'refund' | 'renew' | 'settle' | 'reset';

/** Sees how calls to Redis end. Runs on the way of every check: it must be quick, and must not throw. */
export interface RedisCallObserver {
  /** So many asks go to Redis in one call. */
  batched(asks: number): void;
  /** An answer came, so many seconds after the call was made. */
  answered(call: RedisCallName, seconds: number): void;
  /** No call could be made, none was answered, or the answer says of a key that it can't be used. */
  failed(error: StoreUnavailable | KeyUnusable): void;
}

/** Looks at nothing. */
export const NO_OBSERVER: RedisCallObserver = {
  batched: () => undefined,
  answered: () => undefined,
  failed: () => undefined,
};
