import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { type CommandNode, readCommandTree } from './commands/completion/command-tree.ts';
import { SCRIPTS } from './commands/completion/scripts.ts';
import { runOptix } from './testing-optix.ts';

let tree: readonly CommandNode[];
beforeAll(async () => {
  tree = await readCommandTree();
});

const isInstalled = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0;

/** What bash would offer where the cursor stands behind these words. */
function offered(...words: string[]): string[] {
  const script = `${SCRIPTS['bash']?.(tree)}
COMP_WORDS=(optix "$@"); COMP_CWORD=$#; _optix; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

test('bash is offered commands, actions and flags', () => {
  expect(offered('')).toEqual(expect.arrayContaining(['start', 'users', 'help']));
  expect(offered('se')).toEqual(['sessions']);
  expect(offered('sessions', '')).toEqual(['list', 'revoke', '--help']);
  expect(offered('sessions', 'revoke', '--u')).toEqual(['--user']);
  expect(offered('rules', 'apply', 'rules.yaml', '--d')).toEqual(['--dry-run']);
  expect(offered('events', 'list', '--limit', '5', '--un').sort()).toEqual(['--unresolved', '--until']);
  expect(offered('doctor', '--o')).toEqual(['--only']);
  expect(offered('check', 'orders', 'user:1', '--co')).toEqual(['--cost']);
  expect(offered('help', 'se')).toEqual(['sessions']);
  expect(offered('dance', '')).toEqual([]);
});

test('where a value is expected, bash is left to offer files', () => {
  expect(offered('simulate', '--rules', '')).toEqual([]);
  expect(offered('rules', 'list', '--ca', '--')).toEqual([]);
});

test('bash is offered every command, action and flag, and no other', () => {
  for (const { path, actions, flags } of tree) {
    const words = path === '' ? [] : path.split(' ');
    const known = [...actions, ...flags.map(({ name }) => `--${name}`)];
    expect([path, offered(...words, '')]).toEqual([path, known]);
  }
});

test.runIf(isInstalled('zsh'))('zsh reads its script', () => {
  const script = `autoload -U compinit; compinit -u -D; ${SCRIPTS['zsh']?.(tree)}; print -r -- "$_comps[optix]"`;
  const { stdout, stderr } = spawnSync('zsh', ['-f', '-c', script], { encoding: 'utf8' });
  expect({ stdout, stderr }).toEqual({ stdout: '_optix\n', stderr: '' });
});

test.runIf(isInstalled('fish'))('fish offers actions and flags', () => {
  const directory = mkdtempSync(join(tmpdir(), 'optix-fish-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'optix.fish');
  writeFileSync(file, SCRIPTS['fish']?.(tree) ?? '');
  const script = `source ${file}; complete -C 'optix sessions revoke --u'`;
  const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', script], { encoding: 'utf8' });
  expect({ stdout: stdout.trim(), stderr }).toEqual({ stdout: '--user', stderr: '' });
});

test('a shell that is not known is refused', async () => {
  const { status, stderr } = await runOptix(['completion', 'tcsh']);
  expect([status, stderr]).toEqual([2, expect.stringContaining('"tcsh" is none of bash, zsh, fish')]);
});

test.each(['bash', 'zsh', 'fish'])(
  'optix completion %s prints a script that names each action',
  async (shell) => {
    const { status, stdout } = await runOptix(['completion', shell]);
    expect(status).toBe(0);
    for (const { actions, flags } of tree) {
      for (const word of [...actions, ...flags.map(({ name }) => name)]) expect(stdout).toContain(word);
    }
  },
);
