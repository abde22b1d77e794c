import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { blocksOf } from '../e2e/readme/blocks.ts';
import { AuthenticationService } from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { NODE_COMPILE_CACHE } from '../testing/compile-cache.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { startTestIdentity, startTestRateLimit, type TestService } from '../testing/services.ts';
import { CHECKOUT } from './checkout.ts';
import { COMMANDS } from './command-table.ts';
import { readCommandTree } from './commands/completion/command-tree.ts';
import { printedBy } from './testing-printed.ts';

/** Long enough for a command to ask the service, and to fail where it would. */
const RUNNING_MS = 1_500;
const ADA = { email: 'ada@example.com', password: 'correct horse battery staple' };

const PAGE = readFileSync(join(CHECKOUT, 'docs', 'cli.md'), 'utf8');
const BLOCKS = blocksOf(PAGE);

let limiter: TestService;
let identity: TestService;
let database: TestDatabase;
let directory: string;
beforeAll(async () => {
  limiter = await startTestRateLimit();
  database = await createTestDatabase();
  identity = await startTestIdentity({ DATABASE_URL: database.url, RATE_LIMIT_ENABLED: 'false' });
  await vi.waitFor(async () => expect((await identity.get('/health')).status).toBe(200), 10_000);
  const auth = createClient(AuthenticationService, identity.transport('gRPC'));
  await auth.register(ADA);
  await auth.authenticate(ADA);
  directory = mkdtempSync(join(tmpdir(), 'optix-docs-'));
  symlinkSync(join(CHECKOUT, 'bin'), join(directory, 'bin'));
  for (const { directive, text: content } of BLOCKS) {
    const [, name] = /^file (\S+)$/.exec(directive) ?? [];
    if (name !== undefined) writeFileSync(join(directory, name), content);
  }
  process.chdir(directory);
  vi.stubEnv('DATABASE_URL', database.url);
});
afterAll(async () => {
  process.chdir(CHECKOUT);
  rmSync(directory, { recursive: true });
  await limiter[Symbol.asyncDispose]();
  await identity[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

function commandsOf(wanted: string): string[] {
  return BLOCKS.filter(({ directive }) => directive === wanted).flatMap((block) =>
    block.text.trim().split('\n'),
  );
}

/** As written, but on the ports of this test, and without npm, which takes longer to find the command than it runs. */
function start(command: string) {
  const env = { PATH: `${dirname(process.execPath)}:${process.env['PATH']}`, NODE_COMPILE_CACHE };
  const direct = command.replaceAll('npx optix', 'node bin/optix.ts');
  const onOwnPort = `exec env ${direct} --address ${limiter.grpcAddress}`;
  const child = spawn('bash', ['--norc', '-c', onOwnPort], {
    cwd: directory,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { child, closed: once(child, 'close'), output: text(child.stdout), errors: text(child.stderr) };
}

/** Runs a plain command in this process: as many processes would take their time to start. */
async function runHere(command: string, service?: TestService, expected = 0) {
  const words = command.replace('npx optix ', '').match(/"[^"]*"|\S+/g) ?? [];
  const [name = '', ...args] = words.map((word) => word.replaceAll('"', ''));
  const action = await COMMANDS[name]?.load();
  if (action === undefined) throw new Error(`there is no command ${name}`);
  const where = service === undefined ? [] : ['--address', service.grpcAddress];
  const { error, status, stdout, stderr } = await printedBy(() => action([...args, ...where]));
  // What is known of a new API key is told beside it.
  const told = stderr.replace(/^id +name[\s\S]*Nobody can tell it again:\n$/, '');
  expect({ error, told, status }).toEqual({ error: undefined, told: '', status: expected });
  expect(stdout).not.toBe('');
}

describe('docs/cli.md has commands that run as written', () => {
  it.each(commandsOf('on ratelimit'))('on ratelimit: %s', async (command) => {
    const expected = / diff /.test(command) ? 3 : 0;
    // Those that need no shell.
    if (command.startsWith('npx optix ')) return await runHere(command, limiter, expected);
    const { closed, output, errors } = start(command);
    const [status] = await closed;
    expect({ errors: await errors, status }).toEqual({ errors: '', status: expected });
    expect(await output).not.toBe('');
  });

  it.each(commandsOf('on identity'))('on identity: %s', async (command) => {
    await runHere(command, identity);
  });

  it.each(commandsOf('on the database'))('on the database: %s', async (command) => {
    await runHere(command);
  });

  it('and goes on with those that go on, until Ctrl-C', async () => {
    const running = commandsOf('on ratelimit, until Ctrl-C').map(start);
    expect(running.length).toBeGreaterThan(0);
    await sleep(RUNNING_MS * running.length);
    for (const { child } of running) child.kill('SIGINT');
    for (const { closed, errors } of running) {
      expect([await closed, await errors]).toEqual([
        [0, null],
        expect.stringMatching(/ shown, 0 left out\n$/),
      ]);
    }
  });
});

describe('docs/cli.md is about the commands that there are', () => {
  it('tells of each, or where it stands', () => {
    const isTold = (name: string) => new RegExp(`(?:\`|^## .*\\b)${name}\\b`, 'm').test(PAGE);
    expect(Object.keys(COMMANDS).filter((name) => !isTold(name))).toEqual([]);
  });

  it('names no command, action or flag that there is not', async () => {
    const tree = await readCommandTree();
    const written = BLOCKS.filter(({ language }) => language === 'sh').flatMap((block) =>
      [...block.text.matchAll(/npx optix ([a-z]+)(?: ([a-z-]+))?([^|\n]*)/g)].map(
        ([, command = '', action = '', rest = '']) => ({ command, action, rest }),
      ),
    );
    expect(written.length).toBeGreaterThan(30);
    for (const { command, action, rest } of written) {
      const node =
        tree.find(({ path }) => path === `${command} ${action}`) ??
        tree.find(({ path, actions }) => path === command && actions.length === 0);
      expect([command, action, node !== undefined]).toEqual([command, action, true]);
      const flags = node?.flags.map(({ name }) => `--${name}`);
      for (const flag of rest.match(/--[a-z][a-z-]*/g) ?? []) expect(flags).toContain(flag);
    }
  });
});
