import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import { AuthenticationService } from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { keyDigest } from '../runtime/callers/caller-key.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { startTestIdentity, startTestRateLimit, type TestService } from '../testing/services.ts';
import { COMMANDS } from './command-table.ts';
import { readCommandTree } from './commands/completion/command-tree.ts';
import { runOptix } from './testing-optix.ts';
import { printedBy } from './testing-printed.ts';
import { UsageError } from './usage.ts';

/** How a command is tried. */
interface Trial {
  /** The service it asks; none where it asks none. */
  readonly asks?: 'identity' | 'ratelimit';
  /** The least that it must be given. Called before each run: what is gone after one must be made anew. */
  readonly args?: () => Promise<readonly string[]> | readonly string[];
  /** Exit codes of a run that goes well: 0 unless told. */
  readonly ends?: readonly number[];
  /** Of settings instead of a service: what they name is away. */
  readonly stoppedEnv?: NodeJS.ProcessEnv;
  /** It goes on until it is stopped, or needs more than a process of this test: the file that tries it is named. */
  readonly triedBy?: string;
  /** Read from standard input, by a process of its own. */
  readonly input?: string;
  /** It prints none. */
  readonly json?: false;
}

const AWAY = '127.0.0.1:1';
const AWAY_MS = 3_000;
const PASSWORD = 'correct horse battery staple';
const NOBODY = '0192f0c1-3b5e-7a00-8000-000000000001';
const ONE_RULE = 'rules: [ { name: orders, limits: [ { limit: 5, window: 1m } ] } ]';
const LOG_LINE = '203.0.113.9 - ada [22/Nov/2026:10:00:00 +0000] "GET /orders/1 HTTP/1.1" 200 5 "-" "curl"\n';

let directory: string;
let database: TestDatabase;
const services = {} as Record<'identity' | 'ratelimit', TestService>;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'optix-every-'));
  writeFileSync(join(directory, 'rules.yaml'), ONE_RULE);
  writeFileSync(join(directory, 'other-rules.yaml'), ONE_RULE.replace('5', '6'));
  writeFileSync(join(directory, 'access.log'), LOG_LINE);
  writeFileSync(join(directory, 'users.jsonl'), '');
  database = await createTestDatabase();
  services.identity = await startTestIdentity({
    DATABASE_URL: database.url,
    RATE_LIMIT_ENABLED: 'false',
    MAIL_URL: `file://${directory}`,
    IDENTITY_CALLER_KEYS: `ops=${keyDigest('key-of-ops')};*`,
  });
  services.ratelimit = await startTestRateLimit({
    RATELIMIT_CALLER_KEYS: `ops=${keyDigest('key-of-ops')};*`,
  });
  await vi.waitFor(async () => expect((await services.identity.get('/health')).status).toBe(200), 10_000);
  vi.stubEnv('OPTIX_API_KEY', 'key-of-ops');
});
afterAll(async () => {
  await services.ratelimit[Symbol.asyncDispose]();
  await services.identity[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});
afterEach(() => vi.stubEnv('OPTIX_API_KEY', 'key-of-ops'));

async function run(words: readonly string[]) {
  const [name = '', ...rest] = words;
  const command = await COMMANDS[name]?.load();
  if (command === undefined) throw new Error(`there is no command ${name}`);
  return await printedBy(() => command(rest));
}

async function json(...words: string[]) {
  const { error, stdout } = await run([...words, '--address', services.identity.grpcAddress, '--json']);
  if (error !== undefined) throw error;
  return JSON.parse(stdout);
}

async function newUser(): Promise<string> {
  return (await json('users', 'create', '--email', `${randomUUID()}@example.com`)).user.id;
}

async function deletedUser(): Promise<string> {
  return (await json('users', 'delete', await newUser())).user.id;
}

/** The id of a session, of a user who just signed in. */
async function newSession(): Promise<string> {
  const email = `${randomUUID()}@example.com`;
  const address = services.identity.grpcAddress;
  using transport = createGrpcTransport({ address, apiKey: 'key-of-ops' });
  const auth = createClient(AuthenticationService, transport);
  await auth.register({ email, password: PASSWORD });
  await auth.authenticate({ email, password: PASSWORD });
  return (await json('sessions', 'list', '--user', email)).sessions[0].id;
}

async function retiredKey(): Promise<string> {
  const { keys } = await json('keys', 'rotate', '--force');
  return keys.find(({ state }: { state: string }) => state.endsWith('_RETIRED')).kid;
}

async function newEvent(): Promise<string> {
  const userId = await newUser();
  return (await json('events', 'list', '--user', userId)).events[0].id;
}

async function newCallerKey(): Promise<string> {
  return (await json('callers', 'create', '--name', 'console', '--scopes', 'users.read')).callerKey.id;
}

const file = (name: string) => join(directory, name);
const onUser: Trial = { asks: 'identity', args: async () => [await newUser()] };
const ofSettings = { stoppedEnv: { DATABASE_URL: `postgres://optix:hush@${AWAY}/optix` } };

/** Each command and action of the program. One that is missing here fails below. */
const TRIALS: Readonly<Record<string, Trial>> = {
  start: { triedBy: 'bin/start.test.ts' },
  migrate: ofSettings,
  env: { triedBy: 'bin/start.test.ts' },
  backup: { ...ofSettings, args: () => ['--to', file(randomUUID())] },
  restore: { triedBy: 'e2e/backup.test.ts' },
  doctor: { ends: [0, 3] },
  check: { asks: 'ratelimit', args: () => ['orders', 'user:1'] },
  peek: { asks: 'ratelimit', args: () => ['orders', 'user:1'] },
  'rules list': { asks: 'ratelimit' },
  'rules show': { asks: 'ratelimit', args: () => ['api_default'] },
  'rules edit': { asks: 'ratelimit', args: () => ['api_default'] },
  'rules apply': { asks: 'ratelimit', args: () => [file('rules.yaml')] },
  'rules diff': { asks: 'ratelimit', args: () => [file('other-rules.yaml')], ends: [3] },
  top: { asks: 'ratelimit' },
  tail: { asks: 'ratelimit', triedBy: 'bin/limits.test.ts' },
  simulate: { args: () => [file('access.log')] },
  'users list': { asks: 'identity' },
  'users get': onUser,
  'users create': { asks: 'identity', args: () => ['--email', `${randomUUID()}@example.com`] },
  'users update': { asks: 'identity', args: async () => [await newUser(), '--last-name', 'King'] },
  'users roles': { asks: 'identity', args: async () => [await newUser(), '--roles', 'premium'] },
  'users suspend': onUser,
  'users reactivate': onUser,
  'users unlock': onUser,
  'users reset-factors': onUser,
  'users verify-email': onUser,
  'users delete': onUser,
  'users undelete': { asks: 'identity', args: async () => [await deletedUser()] },
  'users purge': { asks: 'identity', args: async () => [await deletedUser(), '--yes'] },
  'users import': { asks: 'identity', args: () => [file('users.jsonl')] },
  'users export': { asks: 'identity' },
  'sessions list': { asks: 'identity', args: () => ['--user', NOBODY] },
  'sessions revoke': { asks: 'identity', args: async () => [await newSession()] },
  'keys list': { asks: 'identity' },
  // Without --force it is refused while verifiers may not know the next key; identity-commands.test.ts tries that.
  'keys rotate': { asks: 'identity', triedBy: 'bin/identity-commands.test.ts' },
  'keys revoke': { asks: 'identity', args: async () => [await retiredKey()] },
  'events list': { asks: 'identity' },
  'events tail': { asks: 'identity', triedBy: 'bin/identity-commands.test.ts' },
  'events verify': { asks: 'identity' },
  'events resolve': { asks: 'identity', args: async () => [await newEvent(), '--by', 'ops'] },
  'maintenance status': { asks: 'identity' },
  'maintenance run': { asks: 'identity', args: () => ['partitions'] },
  'callers create': { asks: 'identity', args: () => ['--name', 'console', '--scopes', 'users.read'] },
  'callers list': { asks: 'identity' },
  'callers rotate': { asks: 'identity', args: async () => [await newCallerKey()] },
  'callers revoke': { asks: 'identity', args: async () => [await newCallerKey()] },
  'callers hash': { input: 'a-key\n' },
  'log show': { asks: 'ratelimit' },
  'log set': { asks: 'ratelimit', args: () => ['--level', 'info'] },
  'completion bash': { json: false },
  'completion zsh': { json: false },
  'completion fish': { json: false },
};

const tree = (await readCommandTree()).filter(({ path }) => path !== '' && path !== 'help');
const leaves = tree.filter(({ actions }) => actions.length === 0);
const paths = leaves.map(({ path }) => path);
const trialOf = (path: string) => TRIALS[path] ?? {};
const tried = (wanted: (trial: Trial) => boolean) => paths.filter((path) => wanted(trialOf(path)));

test('each command and action of the program is tried, and nothing else', () => {
  expect(Object.keys(TRIALS).sort()).toEqual([...paths].sort());
});

describe('--help', () => {
  test.each(leaves.map((node) => [node.path, node] as const))(
    'of %s tells what it takes, with examples',
    async (path, node) => {
      const { status, stdout, stderr } = await run([...path.split(' '), '--help']);
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(new RegExp(`^Usage: optix ${path}\\b`));
      expect(stdout).toMatch(new RegExp(`\n  (?:\\S.*)?optix ${path}\\b`));
      const told = stdout.match(/(?<![\w-])--[a-z][a-z-]*/g) ?? [];
      const taken = node.flags.map(({ name }) => `--${name}`);
      expect([...new Set([...told, '--help'])].sort()).toEqual([...taken].sort());
      for (const name of node.positionals) expect(stdout).toContain(`<${name}>`);
    },
  );

  test.each(tree.filter(({ actions }) => actions.length > 0).map((node) => [node.path, node] as const))(
    'of %s names its actions',
    async (path, { actions }) => {
      const { status, stdout } = await run([path, '--help']);
      expect(status).toBe(0);
      for (const action of actions) expect(stdout).toContain(action);
      const bare = await run([path]);
      expect(bare.error).toBeInstanceOf(UsageError);
    },
  );
});

describe('a mistake', () => {
  test.each(paths)('%s names a flag that it does not know', async (path) => {
    const { error, stdout } = await run([...path.split(' '), '--no-such-flag']);
    expect(error).toBeInstanceOf(UsageError);
    expect(error?.message).toContain(`${path}: Unknown option '--no-such-flag'`);
    expect(stdout).toBe('');
  });

  test.each(tried(({ args }) => args !== undefined))('%s says what must be given', async (path) => {
    const { error, stdout } = await run(path.split(' '));
    expect(error).toBeInstanceOf(UsageError);
    expect(error?.message).toMatch(/must be (?:given|identity or ratelimit)/);
    expect(stdout).toBe('');
  });
});

describe('where what it asks is away', () => {
  test.each(tried(({ asks }) => asks !== undefined))('%s says so at once, and where', async (path) => {
    vi.stubEnv('EDITOR', 'true');
    const args = STOPPED_ARGS[path] ?? (await trialOf(path).args?.()) ?? [];
    const startedAt = performance.now();
    const { error, stdout } = await run([...path.split(' '), ...args, '--address', AWAY]);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(UsageError);
    expect(error?.message).toMatch(/^\[unavailable\] .*is the service running, and at 127\.0\.0\.1:1 /);
    expect(error?.message).not.toContain('key-of-ops');
    expect(stdout).toBe('');
    expect(performance.now() - startedAt).toBeLessThan(AWAY_MS);
  });

  test.each(tried(({ stoppedEnv }) => stoppedEnv !== undefined))('%s says so at once', async (path) => {
    const { stoppedEnv = {}, args } = trialOf(path);
    for (const [name, value] of Object.entries(stoppedEnv)) vi.stubEnv(name, value);
    const startedAt = performance.now();
    const { error } = await run([path, ...((await args?.()) ?? [])]);
    expect(error?.message).toContain(AWAY);
    expect(error?.message).not.toContain('hush');
    expect(performance.now() - startedAt).toBeLessThan(AWAY_MS);
  });
});

/** What needs nothing to be made before: nobody is there to be asked. */
const STOPPED_ARGS: Readonly<Record<string, readonly string[]>> = {
  'users undelete': [NOBODY],
  'users purge': [NOBODY, '--yes'],
  'sessions revoke': [NOBODY],
  'keys revoke': ['kid'],
  'events resolve': [NOBODY, '--by', 'ops'],
  'callers rotate': [NOBODY],
  'callers revoke': [NOBODY],
};

describe('where all is well', () => {
  const running = tried(({ triedBy }) => triedBy === undefined);

  async function runWell(path: string, flags: readonly string[]) {
    const { asks, args, input } = trialOf(path);
    vi.stubEnv('DATABASE_URL', database.url);
    vi.stubEnv('EDITOR', 'true');
    const where = asks === undefined ? [] : ['--address', services[asks].grpcAddress];
    const words = [...path.split(' '), ...((await args?.()) ?? []), ...where, ...flags];
    if (input !== undefined) return { ...(await runOptix(words, {}, input)), error: undefined };
    return await run(words);
  }

  test.each(running)('%s answers people', async (path) => {
    const { status, error, stdout } = await runWell(path, []);
    expect(error).toBeUndefined();
    expect(trialOf(path).ends ?? [0]).toContain(status);
    expect(stdout).not.toBe('');
    expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
  });

  test.each(running.filter((path) => trialOf(path).json !== false))('%s answers scripts', async (path) => {
    const { status, error, stdout } = await runWell(path, ['--json']);
    expect(error).toBeUndefined();
    expect(trialOf(path).ends ?? [0]).toContain(status);
    const documents = path === 'users export' ? stdout.trimEnd().split('\n') : [stdout];
    for (const document of documents) expect(JSON.parse(document)).toBeTypeOf('object');
  });
});
