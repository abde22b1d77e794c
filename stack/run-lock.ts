import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DataDirectory } from './data-directory.ts';
import { processBirth } from './process-table.ts';

/** Another process already runs the stack on the same data. */
export class AlreadyRunning extends Error {
  readonly pid: number;

  constructor(directory: string, pid: number, what: string) {
    super(`already running on ${directory} (process ${pid}; ${what})`);
    this.name = 'AlreadyRunning';
    this.pid = pid;
  }
}

interface Holder {
  pid: number;
  birth: string;
  /** What it runs, for the message to whoever comes second. */
  what: string;
}

/**
 * Makes this process the only one that runs the stack on this data, until it disposes the lock or ends in whatever way:
 * a lock whose process is gone is no obstacle.
 *
 * @throws AlreadyRunning
 */
export function acquireRunLock(data: DataDirectory, what: string): Disposable {
  const lock = join(data.run, 'lock');
  const mine = `${lock}.${process.pid}`;
  const holder: Holder = { pid: process.pid, birth: processBirth(process.pid) ?? '', what };
  writeFileSync(mine, JSON.stringify(holder), { mode: 0o600 });
  try {
    while (!link(mine, lock)) {
      const text = read(lock);
      const other = text === undefined ? undefined : parse(text);
      if (other && processBirth(other.pid) === other.birth) {
        throw new AlreadyRunning(data.path, other.pid, other.what);
      }
      if (text !== undefined) discard(lock, text);
    }
  } finally {
    rmSync(mine, { force: true });
  }
  return { [Symbol.dispose]: () => rmSync(lock, { force: true }) };
}

/** A hard link is made whole or not at all, and never over a file that is there. */
function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Takes a stale lock away. Of two processes that do so at once, the second may get hold of the lock that the first has
 * made since: it then puts it back.
 */
function discard(lock: string, stale: string): void {
  const aside = `${lock}.stale.${process.pid}`;
  try {
    renameSync(lock, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (read(aside) !== stale) link(aside, lock);
  rmSync(aside, { force: true });
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parse(text: string): Holder | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
