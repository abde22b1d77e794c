import { setTimeout as sleep } from 'node:timers/promises';

/** The longest that a timer of Node can wait, in milliseconds (2^31 - 1); a longer one ends at once. */
export const MAX_TIMER_MS = 2_147_483_647;

/** Waits. Ends early, and without an error, where the signal is aborted; keeps no process alive. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
}

/** Does `work` again and again, after a pause each time, until the signal is aborted. Rejects where `work` does. */
export async function repeat(
  everyMs: number,
  signal: AbortSignal,
  work: () => Promise<unknown> | unknown,
): Promise<void> {
  while (!signal.aborted) {
    await pause(everyMs, signal);
    if (!signal.aborted) await work();
  }
}
