import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { CHECKOUT } from './checkout.ts';
import { COMMAND_WORDS } from './commands/completion/command-words.ts';
import { SCRIPTS } from './commands/completion/scripts.ts';
import { runOptix } from './testing-optix.ts';

/** What bash would offer where the cursor stands behind these words. */
function offered(...words: string[]): string[] {
  const script = `${SCRIPTS['bash']?.()}
COMP_WORDS=(optix "$@"); COMP_CWORD=$#; _optix; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

test('bash is offered commands, actions and flags', () => {
  expect(offered('')).toEqual(Object.keys(COMMAND_WORDS));
  expect(offered('se')).toEqual(['sessions']);
  expect(offered('sessions', '')).toEqual(['list', 'revoke']);
  expect(offered('sessions', 'revoke', '--u')).toEqual(['--user']);
  expect(offered('rules', 'apply', 'rules.yaml', '--d')).toEqual(['--dry-run']);
  expect(offered('events', 'list', '--limit', '5', '--un')).toEqual(
    ['--until', '--unresolved'].sort().reverse(),
  );
  expect(offered('doctor', '--o')).toEqual(['--only']);
  expect(offered('check', 'orders', 'user:1', '--co')).toEqual(['--cost']);
  expect(offered('dance', '')).toEqual([]);
});

test('each command of the program can be completed, and no other', () => {
  const program = readFileSync(join(CHECKOUT, 'bin', 'optix.ts'), 'utf8');
  const commands = [...program.matchAll(/^ {2}(\w+): async \(\) =>/gm)].map(([, name]) => name);
  expect(Object.keys(COMMAND_WORDS).sort()).toEqual([...commands, 'help'].sort());
});

/** Commands whose every flag stands in their own help. */
const HELPED = Object.entries(COMMAND_WORDS).flatMap(([command, { flags, actions }]) => [
  ...(flags.includes('--help') ? [{ path: [command], flags }] : []),
  ...Object.entries(actions).flatMap(([action, words]) =>
    words.includes('--help') ? [{ path: [command, action], flags: words }] : [],
  ),
]);

test('the flags that are offered are those of the help', async () => {
  expect(HELPED.length).toBeGreaterThan(10);
  for (const { path, flags } of HELPED) {
    const told = (await helpOf(path)).match(/(?<![\w-])--[a-z][a-z-]*/g) ?? [];
    expect([path, [...new Set(flags)].sort()]).toEqual([path, [...new Set([...told, '--help'])].sort()]);
  }
});

async function helpOf([name = '', ...rest]: readonly string[]): Promise<string> {
  const module = (await import(`./commands/${name}.ts`)) as Record<
    string,
    (args: string[]) => Promise<number>
  >;
  const printed = vi.spyOn(console, 'log').mockReturnValue();
  expect(await module[`${name}Command`]?.([...rest, '--help'])).toBe(0);
  const help = String(printed.mock.calls[0]?.[0]);
  printed.mockRestore();
  return help;
}

test('a shell that is not known is refused', async () => {
  const { status, stderr } = await runOptix(['completion', 'tcsh']);
  expect([status, stderr]).toEqual([2, expect.stringContaining('"tcsh" is none of bash, zsh, fish')]);
});

test.each(['bash', 'zsh', 'fish'])(
  'optix completion %s prints a script that names each action',
  async (shell) => {
    const { status, stdout } = await runOptix(['completion', shell]);
    expect(status).toBe(0);
    for (const word of ['sessions', 'revoke', 'from-anchor', 'dry-run', 'maintenance'])
      expect(stdout).toContain(word);
  },
);
