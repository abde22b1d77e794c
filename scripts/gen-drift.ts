import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, runCommand } from './run-command.ts';

/**
 * Generates the code anew beside the committed one and compares them.
 *
 * @param scratch a directory of the caller's for what is generated.
 * @returns the files in gen/ that differ, are missing or should not be there.
 */
export async function driftedFiles(scratch: string): Promise<string[]> {
  const { code } = await runCommand('buf', ['generate', '--output', scratch]);
  if (code !== 0) throw new Error('buf generate failed');
  const fresh = readTree(join(scratch, 'gen'));
  const committed = readTree(join(ROOT, 'gen'));
  const names = new Set([...fresh.keys(), ...committed.keys()]);
  return [...names].filter((name) => fresh.get(name) !== committed.get(name)).sort();
}

function readTree(directory: string): Map<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return new Map(
    files.map((file) => {
      const path = join(file.parentPath, file.name);
      return [path.slice(directory.length + 1), readFileSync(path, 'utf8')];
    }),
  );
}
