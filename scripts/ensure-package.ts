import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { platform } from 'node:os';
import { runCommand } from './run-command.ts';

const POLICY = '/usr/sbin/policy-rc.d';

/** A program that the tests need and npm doesn't bring. */
export interface SystemPackage {
  /** What the tests need, as a message to people says it. */
  readonly needed: string;
  /** The path of the program, where there is one. */
  readonly find: () => string | undefined;
  /** The Debian package that brings it. */
  readonly debian: string;
  /** The command that installs it on other systems: macOS, Fedora and Alpine. */
  readonly commands: { readonly darwin: string; readonly dnf: string; readonly apk: string };
}

/**
 * Sees to it that there is a program. Root on Debian or Ubuntu gets it installed, but not started as a system service.
 *
 * @returns its path.
 * @throws Error, naming the one command to run, where it can't be installed from here.
 */
export async function ensurePackage({ needed, find, debian, commands }: SystemPackage): Promise<string> {
  const found = find();
  if (found) return found;
  const apt = existsSync('/usr/bin/apt-get');
  if (!apt || process.getuid?.() !== 0) {
    const command = apt ? `sudo apt-get install -y ${debian}` : commandFor(commands);
    throw new Error(`the tests need ${needed}; run: ${command ?? `the package manager of this system`}`);
  }
  console.log(`no ${debian} found: installing it with apt-get ...`);
  await updateLists();
  await withoutServiceStart(() => aptGet('install', '-y', '--no-install-recommends', debian));
  const installed = find();
  if (!installed) throw new Error(`${debian} was installed, but ${needed} is not to be found`);
  return installed;
}

function commandFor(commands: SystemPackage['commands']): string | undefined {
  if (platform() === 'darwin') return commands.darwin;
  if (existsSync('/usr/bin/dnf')) return commands.dnf;
  if (existsSync('/sbin/apk')) return commands.apk;
  return undefined;
}

let updated: Promise<void> | undefined;

/** A new machine's package lists may be empty. Once does for all packages. */
function updateLists(): Promise<void> {
  updated ??= aptGet('update');
  return updated;
}

async function aptGet(...args: string[]): Promise<void> {
  const { code, output } = await runCommand('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=120', ...args], {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    capture: true,
  });
  if (code !== 0) throw new Error(`apt-get ${args.join(' ')} failed:\n${output}`);
}

/** Debian's packages start their service unless this policy forbids it (policy-rc.d, exit code 101). */
async function withoutServiceStart(install: () => Promise<void>): Promise<void> {
  if (existsSync(POLICY)) return install();
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await install();
  } finally {
    rmSync(POLICY, { force: true });
  }
}
