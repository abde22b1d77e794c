import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test, vi } from 'vitest';
import { isPortFree } from '../stack/ports.ts';
import { isAlive } from '../stack/process-table.ts';
import { NODE_COMPILE_CACHE } from '../testing/compile-cache.ts';
import { stackDirectory } from '../testing/stack-directory.ts';
import { CHECKOUT } from './checkout.ts';
import { runOptix } from './testing-optix.ts';

/** The stack itself gives up on a service after 30 seconds. */
const PRINTED_MS = 45_000;
vi.setConfig({ testTimeout: 120_000 });

/** One `optix start` on free ports, as a user would run it. */
interface Started {
  child: ChildProcess;
  output: () => string;
  /** Settles when the text has been printed; rejects where the program ends before. */
  printed: (text: string) => Promise<void>;
  exited: Promise<number | NodeJS.Signals>;
}

const directory = stackDirectory();
const dataDir = join(directory.path, 'data');
afterAll(() => directory[Symbol.dispose]());

/**
 * A free port below the range that systems take ephemeral ports from (RFC 6335, Linux: 32768 and up): while the stack
 * is down between two tests, no other test's connection can come to sit on it.
 */
async function quietPort(): Promise<string> {
  for (;;) {
    const port = randomInt(10_000, 32_768);
    if (await isPortFree(port, '127.0.0.1')) return String(port);
  }
}

const ports = {
  IDENTITY_GRPC_PORT: await quietPort(),
  IDENTITY_HTTP_PORT: await quietPort(),
  RATELIMIT_GRPC_PORT: await quietPort(),
  RATELIMIT_HTTP_PORT: await quietPort(),
};

function start(...flags: string[]): Started {
  const child = spawn(process.execPath, [join(CHECKOUT, 'bin', 'optix.ts'), 'start', ...flags], {
    // Neither HOME nor anything else that a service reads: what a service manager gives.
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE, OPTIX_DATA_DIR: dataDir, ...ports },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk));
  let ended = false;
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (code, signal) => {
      ended = true;
      resolve(signal ?? code ?? -1);
    });
  });
  const printed = async (text: string) => {
    const deadline = performance.now() + PRINTED_MS;
    while (!output.includes(text)) {
      if (performance.now() > deadline) throw new Error(`it did not print "${text}":\n${output}`);
      if (ended) throw new Error(`it ended before it printed "${text}":\n${output}`);
      await sleep(20);
    }
  };
  return { child, output: () => output, printed, exited };
}

test('a database that is not there: where it was looked for, and the setting that named it', async () => {
  const stores = { DATABASE_URL: 'postgres://optix@127.0.0.1:1/optix', REDIS_URL: 'redis://127.0.0.1:1' };
  const ended = await runOptix(['start', '--data-dir', join(directory.path, 'other')], {
    ...ports,
    ...stores,
  });
  expect(ended.status).toBe(1);
  expect(ended.stderr).toMatch(/can not be reached at 127\.0\.0\.1:1\/optix: .*is DATABASE_URL right\?/);
});

/** Ids of all that runs for the data directory, the launcher aside. */
function partPids(): number[] {
  const files = [
    join(dataDir, 'postgres', 'cluster', 'postmaster.pid'),
    join(dataDir, 'redis', 'redis.pid'),
    ...readdirSync(join(dataDir, 'run'))
      .filter((name) => name.endsWith('.pid'))
      .map((name) => join(dataDir, 'run', name)),
  ];
  return files.map((file) => Number(readFileSync(file, 'utf8').split('\n')[0]));
}

async function health(port: string): Promise<number> {
  return (await fetch(`http://127.0.0.1:${port}/health`)).status;
}

test('starts everything, refuses a second start, and stops everything at Ctrl-C', async () => {
  const stack = start();
  await stack.printed('Ctrl-C stops everything');
  expect(await health(ports.IDENTITY_HTTP_PORT)).toBe(200);
  expect(await health(ports.RATELIMIT_HTTP_PORT)).toBe(200);
  const pids = partPids();
  expect(pids).toHaveLength(4);
  expect(stack.output()).not.toMatch(/postgres:\/\//);
  const settings = await runOptix(['env', '--data-dir', dataDir, '--json']);
  expect(settings).toMatchObject({ status: 0, stderr: '' });
  const { DATABASE_URL } = JSON.parse(settings.stdout);
  expect((await runOptix(['env', '--data-dir', dataDir])).stdout).toContain(
    `\nexport DATABASE_URL='${DATABASE_URL}'\n`,
  );
  expect(await runOptix(['migrate'], { DATABASE_URL })).toMatchObject({
    stdout: 'the database is up to date\n',
  });

  const second = start('--fresh');
  await expect(second.exited).resolves.toBe(1);
  expect(second.output()).toMatch(
    new RegExp(
      `^optix: already running on \\S+ \\(process ${stack.child.pid}; identity on ports ${ports.IDENTITY_GRPC_PORT}`,
    ),
  );

  // As npm does: the terminal has told the program, and npm tells it again.
  stack.child.kill('SIGINT');
  stack.child.kill('SIGINT');
  await expect(stack.exited).resolves.toBe(0);
  expect(stack.output()).toMatch(/stopped\n$/);
  expect(pids.filter(isAlive)).toEqual([]);
  expect(await runOptix(['env', '--data-dir', dataDir])).toMatchObject({ status: 1, stdout: '' });
});

test('after kill -9 the next start ends what was left, and goes on with the data', async () => {
  const killed = start();
  await killed.printed('Ctrl-C stops everything');
  const left = partPids();
  killed.child.kill('SIGKILL');
  await killed.exited;
  expect(left.filter(isAlive)).not.toEqual([]);

  const next = start();
  await next.printed('Ctrl-C stops everything');
  expect(next.output()).toMatch(/^ended what an earlier run had left: .*PostgreSQL \(process \d+\)/);
  expect(next.output()).toContain('database: up to date');
  expect(left.filter(isAlive)).toEqual([]);
  next.child.kill('SIGTERM');
  await expect(next.exited).resolves.toBe(0);
});

test('starts a killed store again, and gives up with its last lines when a service ends', async () => {
  const stack = start('--fresh');
  await stack.printed('Ctrl-C stops everything');
  expect(stack.output()).toContain('a new database');
  const [postgres] = partPids();
  process.kill(postgres as number, 'SIGKILL');
  await stack.printed('PostgreSQL is back');

  const run = join(dataDir, 'run');
  const ratelimit = Number(readFileSync(join(run, 'ratelimit.pid'), 'utf8').split('\n')[0]);
  const pids = partPids();
  process.kill(ratelimit, 'SIGKILL');
  await expect(stack.exited).resolves.toBe(1);
  expect(stack.output()).toMatch(
    /optix: ratelimit ended \(ended by SIGKILL\); the last lines of .*ratelimit\.log:\n {4}/,
  );
  expect(pids.filter(isAlive)).toEqual([]);
});

test('can be interrupted while it starts', async () => {
  const stack = start();
  await stack.printed('PostgreSQL 18');
  stack.child.kill('SIGINT');
  await expect(stack.exited).resolves.toBe(0);
  expect(stack.output()).toContain('interrupted, stopping ...');
});
