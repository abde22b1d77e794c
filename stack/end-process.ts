import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from './process-table.ts';

/** A signal, and how many milliseconds to wait for its effect before the next one. */
export interface EndStep {
  signal: NodeJS.Signals;
  waitMs: number;
}

const POLL_MS = 10;

/**
 * Ends the process by sending the signals in turn until it is gone. A process that SIGSTOP has halted is woken, so
 * that it can act on the signal.
 *
 * @throws Error where it still runs after the last step.
 */
export async function endProcess(pid: number, steps: readonly EndStep[]): Promise<void> {
  for (const { signal, waitMs } of steps) {
    if (!sendSignal(pid, signal)) return;
    sendSignal(pid, 'SIGCONT');
    const deadline = performance.now() + waitMs;
    while (performance.now() < deadline) {
      if (!isAlive(pid)) return;
      await sleep(POLL_MS);
    }
  }
  if (isAlive(pid)) throw new Error(`process ${pid} does not end, not even by ${steps.at(-1)?.signal}`);
}

/** Sends a signal; false where there is no such process any more. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
