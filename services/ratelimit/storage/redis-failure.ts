import { ReplyError } from 'ioredis';
import { KeyUnusable, StoreUnavailable } from './store-errors.ts';

/**
 * Error codes of a Redis that is well and objects to this call: a foreign key, a fault in the script, keys of several
 * slots, or several keys of a slot that is being moved between two nodes.
 */
const KEY_AT_FAULT = new Set(['WRONGTYPE', 'ERR', 'CROSSSLOT', 'TRYAGAIN']);

/**
 * Sorts what ioredis rejects with into the two cases that the breaker tells apart.
 *
 * Only the text is kept: ioredis hangs the failed command with its arguments on the error, and those of AUTH must
 * never get into a log.
 */
export function redisFailure(error: unknown): StoreUnavailable | KeyUnusable {
  if (error instanceof StoreUnavailable || error instanceof KeyUnusable) return error;
  // Some of ioredis's own texts name options of ioredis.
  if (error instanceof Error && error.name === 'MaxRetriesPerRequestError') {
    return new StoreUnavailable('the connection was lost before the answer came');
  }
  const message = error instanceof Error ? error.message : String(error);
  if (message.includes('enableOfflineQueue')) return new StoreUnavailable('there is no connection');
  return error instanceof ReplyError ? replyFailure(message) : new StoreUnavailable(message);
}

/**
 * Sorts the text of an error reply. After WRONGTYPE, or ERR from within the script, other keys go on being counted;
 * all other codes (READONLY, LOADING, OOM, MISCONF, NOAUTH, NOPERM, BUSY, ...) hold for every key until somebody
 * mends Redis, and so count as its absence.
 */
export function replyFailure(message: string): StoreUnavailable | KeyUnusable {
  // Redis before 7 wraps what a script's command met: `ERR Error running script (...): @user_script:9: -OOM ...`.
  const wrapped = /@user_script:\s*\d+:\s*-?([A-Z]{3,}) /.exec(message)?.[1];
  const code = wrapped ?? /^-?([A-Z]+)/.exec(message)?.[1] ?? '';
  return KEY_AT_FAULT.has(code) ? new KeyUnusable(message) : new StoreUnavailable(message);
}
