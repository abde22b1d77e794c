import { join } from 'node:path';
import { runCommand } from './run-command.ts';

/**
 * Compares the contracts with those of the branch main, local or of origin.
 *
 * @param scratch a directory of the caller's for main's contracts.
 * @returns the exit code of `buf breaking`; or why there is nothing to compare with.
 */
export async function breakingAgainstMain(scratch: string): Promise<number | { skipped: string }> {
  const commit = await mainCommit();
  if (commit === undefined) return { skipped: 'no git checkout with a branch main' };
  const archive = join(scratch, 'main.tar');
  // Through an archive, because buf can't clone from a linked work tree.
  const archived = await runCommand(
    'git',
    ['archive', '--format=tar', `--output=${archive}`, commit, 'proto'],
    {
      capture: true,
    },
  );
  if (archived.code !== 0) return { skipped: `main has no contracts: ${archived.output.trim()}` };
  const { code } = await runCommand('buf', ['breaking', 'proto', '--against', `${archive}#subdir=proto`]);
  return code;
}

async function mainCommit(): Promise<string | undefined> {
  for (const ref of ['refs/heads/main', 'refs/remotes/origin/main']) {
    try {
      const { code, output } = await runCommand(
        'git',
        ['rev-parse', '--verify', '--quiet', `${ref}^{commit}`],
        {
          capture: true,
        },
      );
      if (code === 0) return output.trim();
    } catch {
      // No git on this machine.
      return undefined;
    }
  }
  return undefined;
}
