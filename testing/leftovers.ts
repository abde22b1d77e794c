import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { endRemembered, readPidFile } from '../stack/pid-file.ts';
import { endPostmaster } from '../stack/postmaster.ts';

/** Remembers, in each directory of a test run, the process that the directory belongs to. */
export const OWNER_FILE = 'owner.pid';

/** Ends and removes what test runs left in the directory that were killed by SIGKILL. */
export async function sweepKilledRuns(temporary: string, prefix: string): Promise<void> {
  for (const name of readdirSync(temporary)) {
    const directory = join(temporary, name);
    const owner = join(directory, OWNER_FILE);
    if (!name.startsWith(prefix) || !existsSync(owner) || readPidFile(owner) !== undefined) continue;
    await removeWithProcesses(directory);
  }
}

/** Removes a directory, after ending every store and service that still runs on data in it. */
export async function removeWithProcesses(directory: string): Promise<void> {
  for (const file of pidFiles(directory)) {
    const name = basename(file);
    if (name === OWNER_FILE) continue;
    if (name === 'postmaster.pid') await endPostmaster(dirname(dirname(file)));
    else {
      await endRemembered(file, [
        { signal: 'SIGTERM', waitMs: 2_000 },
        { signal: 'SIGKILL', waitMs: 5_000 },
      ]);
    }
  }
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

function pidFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.pid'))
    .map((entry) => join(entry.parentPath, entry.name));
}
