import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DataDirectory } from './data-directory.ts';

/** Where a stack that runs says how its services are set: for its owner alone, as it holds passwords. */
function fileOf(directory: string): string {
  return join(directory, 'run', 'environment.json');
}

/** Leaves the settings of the stack's services for {@link readEnvironment}, until it is disposed of. */
export function writeEnvironment(data: DataDirectory, variables: NodeJS.ProcessEnv): Disposable {
  const file = fileOf(data.path);
  rmSync(file, { force: true });
  writeFileSync(file, JSON.stringify(variables), { mode: 0o600 });
  return { [Symbol.dispose]: () => rmSync(file, { force: true }) };
}

/** The settings of the stack that runs on a data directory; undefined where none does. */
export function readEnvironment(directory: string): Readonly<Record<string, string>> | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(directory), 'utf8')) as Record<string, string>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
