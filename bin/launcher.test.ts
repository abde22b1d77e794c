import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, test } from 'vitest';
import { CHECKOUT } from './checkout.ts';

/** What bin/optix.js sees around it: a checkout has optix.ts beside it, the package has dist. */
const directory = mkdtempSync(join(tmpdir(), 'optix-launcher-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Makes a place of bin/optix.js and these files. */
function place(name: string, files: Readonly<Record<string, string>>): string {
  const root = join(directory, name);
  for (const [path, content] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), content);
    chmodSync(join(root, path), 0o755);
  }
  mkdirSync(join(root, 'bin'), { recursive: true });
  copyFileSync(join(CHECKOUT, 'bin/optix.js'), join(root, 'bin/optix.js'));
  return root;
}

/** Runs its bin/optix.js, on a Node that says that it is of this release. */
function launch(root: string, release: string, ...args: string[]) {
  const pretence = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${release}' } })`;
  const flags = ['--import', `data:text/javascript,${encodeURIComponent(pretence)}`];
  const child = spawn(process.execPath, [...flags, join(root, 'bin/optix.js'), ...args]);
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const output = Promise.all([text(child.stdout), text(child.stderr), exited]);
  return { child, ended: output.then(([stdout, stderr, status]) => ({ stdout, stderr, status })) };
}

const PROGRAM = `
console.log('ran', ...process.argv.slice(2));
process.exitCode = 3;
`;

describe('in the package', () => {
  const root = place('package', { 'dist/bin/optix.js': PROGRAM });

  test('runs what was built, from Node 22 on', async () => {
    expect(await launch(root, '22.0.0', 'check', 'a b').ended).toEqual({
      stdout: 'ran check a b\n',
      stderr: '',
      status: 3,
    });
  });

  test('an older Node is refused in one line', async () => {
    expect(await launch(root, '20.20.2', 'check').ended).toEqual({
      stdout: '',
      stderr: `optix: needs Node 22 or newer; this is 20.20.2 (${process.execPath})\n`,
      status: 1,
    });
  });
});

describe('in a checkout', () => {
  // Stands for the Node that npm installs there: it tells its arguments, and waits to be stopped.
  const ownNode = `#!/bin/sh
trap 'echo stopped; exit 5' TERM
echo "own node: $2 $3"; read -r line; echo "read $line"
while :; do sleep 0.05; done
`;

  test('runs the source', async () => {
    const root = place('new-enough', { 'bin/optix.ts': PROGRAM, 'node_modules/node/bin/node': ownNode });
    expect(await launch(root, '24.7.0', 'top').ended).toMatchObject({ stdout: 'ran top\n', status: 3 });
  });

  test('an older Node has the checkout’s own run it, with its input, signals and exit code', async () => {
    const root = place('older', { 'bin/optix.ts': PROGRAM, 'node_modules/node/bin/node': ownNode });
    const { child, ended } = launch(root, '22.23.3', 'check', 'a b');
    child.stdin.end('typed\n');
    child.stdout.on('data', (chunk: Buffer) => {
      if (chunk.includes('read typed')) child.kill('SIGTERM');
    });
    expect(await ended).toEqual({
      stdout: 'own node: check a b\nread typed\nstopped\n',
      stderr: '',
      status: 5,
    });
  });

  test('an older Node is refused where npm has installed nothing', async () => {
    const root = place('bare', { 'bin/optix.ts': PROGRAM });
    expect(await launch(root, '24.6.0', 'check').ended).toEqual({
      stdout: '',
      stderr: `optix: needs Node 24.7 or newer; this is 24.6.0 (${process.execPath})\n`,
      status: 1,
    });
  });
});
