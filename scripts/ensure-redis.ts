import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { platform } from 'node:os';
import { findRedis } from '../stack/redis-server.ts';
import { runCommand } from './run-command.ts';

const POLICY = '/usr/sbin/policy-rc.d';

/**
 * Sees to it that the tests have a Redis server. Root on Debian or Ubuntu gets one installed, but not started as a
 * system service.
 *
 * @returns its path.
 * @throws Error, naming the one command to run, where it can't be installed from here.
 */
export async function ensureRedis(): Promise<string> {
  const found = findRedis();
  if (found) return found;
  const apt = existsSync('/usr/bin/apt-get');
  if (!apt || process.getuid?.() !== 0) {
    throw new Error(`the tests need redis-server or valkey-server on PATH; run: ${installCommand(apt)}`);
  }
  console.log('no redis-server found: installing it with apt-get ...');
  // A new machine's package lists may be empty.
  await aptGet('update');
  await withoutServiceStart(() => aptGet('install', '-y', '--no-install-recommends', 'redis-server'));
  const installed = findRedis();
  if (!installed) throw new Error('redis-server was installed, but is not on PATH');
  return installed;
}

function installCommand(apt: boolean): string {
  if (apt) return 'sudo apt-get install -y redis-server';
  if (platform() === 'darwin') return 'brew install redis';
  if (existsSync('/usr/bin/dnf')) return 'sudo dnf install -y valkey';
  if (existsSync('/sbin/apk')) return 'apk add redis';
  return 'the package manager of this system, to install redis';
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
