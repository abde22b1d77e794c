import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type EndStep, endProcess } from './end-process.ts';
import { commandLine } from './process-table.ts';

/** Fast shutdown, then immediate shutdown (recovery at the next start), then the end. */
export const POSTGRES_END: readonly EndStep[] = [
  { signal: 'SIGINT', waitMs: 15_000 },
  { signal: 'SIGQUIT', waitMs: 5_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
];

/** PostgreSQL's own data directory inside the directory that belongs to the server. */
export function clusterDirectory(dataDir: string): string {
  return join(dataDir, 'cluster');
}

/**
 * Ends the server that still runs on this data, if any, and clears away a lock file that would stop the next start.
 * Returns the id of the process that was ended.
 */
export async function endPostmaster(dataDir: string): Promise<number | undefined> {
  const lock = join(clusterDirectory(dataDir), 'postmaster.pid');
  const pid = postmasterPid(dataDir);
  if (pid === undefined) return undefined;
  const command = commandLine(pid);
  // Nobody has this id: PostgreSQL sees that by itself, and looks for back ends that outlived their postmaster.
  if (command === undefined) return undefined;
  if (command.includes(` -D ${clusterDirectory(dataDir)} `)) {
    await endProcess(pid, POSTGRES_END);
    return pid;
  }
  // The id went to another program. PostgreSQL would take that for a running server and refuse to start.
  rmSync(lock, { force: true });
  return undefined;
}

/** The process id in PostgreSQL's lock file, whether or not it still runs. */
export function postmasterPid(dataDir: string): number | undefined {
  try {
    const [pid] = readFileSync(join(clusterDirectory(dataDir), 'postmaster.pid'), 'utf8').split('\n');
    return Number(pid) || undefined;
  } catch {
    return undefined;
  }
}
