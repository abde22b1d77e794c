import { StoreUnavailable } from './store-errors.ts';

/**
 * Settles as the promise does, or rejects with {@link StoreUnavailable} once `budgetMs` have passed.
 *
 * After a stall of this process's own event loop timers run before the replies that have long arrived are read. The
 * verdict therefore waits for one more round of the loop, lest a busy process take a healthy Redis for dead.
 */
export function withinBudget<T>(promise: Promise<T>, budgetMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const waitMs = Math.max(0, Math.round(budgetMs));
    const expire = () => reject(new StoreUnavailable(`no answer within ${waitMs} ms`));
    const timer = setTimeout(() => setImmediate(expire), waitMs);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
