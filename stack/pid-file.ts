import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type EndStep, endProcess } from './end-process.ts';
import { processBirth } from './process-table.ts';

/**
 * Remembers a process in a file, so that a later run can find it even though the run that started it was killed.
 * Written at once and synchronously: nothing may come between the start of a process and the record of it.
 */
export function writePidFile(file: string, pid: number): void {
  writeFileSync(file, `${pid}\n${processBirth(pid) ?? ''}\n`, { mode: 0o600 });
}

/**
 * The process that the file remembers, if that very process still runs. A process that merely got the same id later
 * (after a reboot, say) is not it.
 */
export function readPidFile(file: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  const [pid, birth] = text.split('\n');
  if (!pid || !birth) return undefined;
  return processBirth(Number(pid)) === birth ? Number(pid) : undefined;
}

/** Ends the process that the file remembers, if it still runs, and removes the file. Returns its id if it ran. */
export async function endRemembered(file: string, steps: readonly EndStep[]): Promise<number | undefined> {
  const pid = readPidFile(file);
  if (pid !== undefined) await endProcess(pid, steps);
  rmSync(file, { force: true });
  return pid;
}
