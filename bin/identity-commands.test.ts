import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import { AuthenticationService } from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { keyDigest } from '../runtime/callers/caller-key.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { startTestIdentity, type TestService } from '../testing/services.ts';
import { eventsCommand } from './commands/events.ts';
import { keysCommand } from './commands/keys.ts';
import { maintenanceCommand } from './commands/maintenance.ts';
import { sessionsCommand } from './commands/sessions.ts';
import { startOptix } from './testing-optix.ts';
import { UsageError } from './usage.ts';

const KEY = { OPTIX_API_KEY: 'key-of-ops' };
const EMAIL = 'ada@example.com';
const PASSWORD = 'correct horse battery staple';

let database: TestDatabase;
let service: TestService;
let there: string[];
beforeAll(async () => {
  database = await createTestDatabase();
  service = await startTestIdentity({
    DATABASE_URL: database.url,
    RATE_LIMIT_ENABLED: 'false',
    IDENTITY_CALLER_KEYS: `ops=${keyDigest('key-of-ops')};*,desk=${keyDigest('key-of-desk')};users.read`,
  });
  there = ['--address', service.grpcAddress];
  await vi.waitFor(async () => expect((await service.get('/health')).status).toBe(200), { timeout: 10_000 });
  await withAuth(async (auth) => {
    await auth.register({ email: EMAIL, password: PASSWORD, firstName: 'Ada' });
    for (let index = 0; index < 2; index += 1) await auth.authenticate({ email: EMAIL, password: PASSWORD });
  });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

async function withAuth<T>(
  use: (auth: ReturnType<typeof createClient<typeof AuthenticationService>>) => Promise<T>,
): Promise<T> {
  using transport = createGrpcTransport({ address: service.grpcAddress, apiKey: 'key-of-ops' });
  return await use(createClient(AuthenticationService, transport));
}

const COMMANDS: Readonly<Record<string, (args: string[]) => Promise<number>>> = {
  sessions: sessionsCommand,
  keys: keysCommand,
  events: eventsCommand,
  maintenance: maintenanceCommand,
};

/** Runs a command in this process, as bin/optix.ts does: what it prints, and what it ends with. */
async function run(args: readonly string[], apiKey = 'key-of-ops') {
  vi.stubEnv('OPTIX_API_KEY', apiKey);
  const printed = vi.spyOn(console, 'log').mockReturnValue();
  const told = vi.spyOn(console, 'error').mockReturnValue();
  const [name = '', ...rest] = args;
  const ended = await COMMANDS[name]?.(rest).catch((error: Error) => error);
  const textOf = (spy: typeof printed) => spy.mock.calls.map(([line]) => `${line}\n`).join('');
  const [stdout, stderr] = [textOf(printed), textOf(told)];
  vi.restoreAllMocks();
  if (typeof ended === 'number') return { status: ended, stdout, stderr };
  const status = ended instanceof UsageError ? 2 : 1;
  return { status, stdout, stderr: `${stderr}optix: ${ended?.message}\n` };
}

async function optix(...args: string[]) {
  return await run([...args, ...there]);
}

/** What a command prints as JSON. */
async function json(...args: string[]) {
  const { status, stdout, stderr } = await optix(...args, '--json');
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

test('sessions of a user are listed by e-mail or id, and end one by one or all at once', async () => {
  const { sessions } = await json('sessions', 'list', '--user', EMAIL);
  const [first, ...others] = sessions as { id: string; userId: string; active: boolean }[];
  expect(others.length).toBeGreaterThanOrEqual(1);
  if (first === undefined) throw new Error('there are no sessions');
  const listed = (await optix('sessions', 'list', '--user', first.userId)).stdout.trimEnd().split('\n');
  expect(listed).toHaveLength(sessions.length + 1);
  expect(listed[0]).toMatch(/^session +state +opened/);
  expect(listed[1]).toMatch(new RegExp(`^${first.id}  active  20`));

  const revoked = await optix('sessions', 'revoke', first.id, '--actor', 'op-7', '--reason', 'a test');
  expect(revoked).toMatchObject({ status: 0, stdout: expect.stringContaining(`${first.id}  revoked`) });
  const all = await optix('sessions', 'revoke', '--user', EMAIL, '--actor', 'op-7');
  expect(all.stdout).toBe(`sessions that ended: ${others.length}\n`);
  expect(await optix('sessions', 'list', '--user', EMAIL)).toMatchObject({ stdout: 'no sessions\n' });
  expect((await json('sessions', 'list', '--user', EMAIL, '--ended')).sessions).toHaveLength(sessions.length);
});

test('keys are listed, rotated and revoked', async () => {
  const { keys: before } = await json('keys', 'list');
  const [next, current] = before as { kid: string }[];
  expect((await optix('keys', 'rotate')).stderr).toMatch(/^optix: \[failed_precondition\] /);
  const { keys: after } = await json('keys', 'rotate', '--force', '--actor', 'op-7');
  expect(after.map(({ kid, state }: { kid: string; state: string }) => [kid, state.slice(18)])).toEqual([
    [expect.any(String), 'NEXT'],
    [next?.kid, 'CURRENT'],
    [current?.kid, 'RETIRED'],
  ]);
  const revoked = await optix('keys', 'revoke', current?.kid ?? '', '--reason', 'a test');
  expect(revoked.stdout).toMatch(/^kid +algorithm +state/);
  expect(revoked.stdout).not.toContain(current?.kid);
  const { status, stderr } = await optix('keys', 'revoke', current?.kid ?? '');
  expect([status, stderr]).toEqual([1, expect.stringMatching(/^optix: \[not_found\] .+\n$/)]);
});

test('events are listed by what they must be, and resolved once', async () => {
  const types = (events: { type: string }[]) => events.map(({ type }) => type);
  const { events } = await json(
    'events',
    'list',
    '--type',
    'login_succeeded',
    '--user',
    EMAIL,
    '--since',
    '1h',
  );
  expect(types(events)).toEqual(['login_succeeded', 'login_succeeded']);
  const none = await optix('events', 'list', '--until', '2020-01-01');
  expect(none).toEqual({ status: 0, stdout: 'no events\n', stderr: '' });
  const misspelt = await optix('events', 'list', '--type', 'login_fail');
  expect(misspelt.stdout).toBe('no events of login_fail (types: docs/audit.md)\n');
  const some = await optix('events', 'list', '--limit', '1');
  expect(some.stdout.split('\n')[0]).toMatch(/^time +severity +type +user/);
  expect(some.stdout.trimEnd().split('\n')).toHaveLength(2);
  expect(some.stderr).toContain('there may be more than these 1');

  const resolve = ['events', 'resolve', events[0].id, '--by', 'op-7', '--note', 'a test'];
  expect(await json(...resolve)).toMatchObject({ event: { resolvedBy: 'op-7', resolutionNote: 'a test' } });
  expect(await optix(...resolve)).toMatchObject({ status: 1, stdout: '' });
});

test('a tail can be gone on with where it was interrupted', async () => {
  const first = await tail(['--from-beginning', '--type', 'login_succeeded'], 2);
  expect(first).toMatchObject({ status: 0, cursor: expect.stringMatching(/^[\w-]+$/) });
  expect(first.lines.every((line) => line.includes('login_succeeded'))).toBe(true);
  await withAuth((auth) => auth.authenticate({ email: EMAIL, password: PASSWORD }));
  const second = await tail(['--cursor', first.cursor, '--type', 'login_succeeded', '--json'], 1);
  expect(second.status).toBe(0);
  const { events } = JSON.parse(second.lines[0] ?? '');
  expect(events).toHaveLength(1);
  expect(first.lines.join()).not.toContain(events[0].id);
});

/** Follows the log until so many lines came, then presses Ctrl-C. */
async function tail(args: readonly string[], count: number) {
  const child = startOptix(['events', 'tail', ...args, ...there], KEY);
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const stderr = text(child.stderr);
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    lines.push(line);
    if (lines.length === count) child.kill('SIGINT');
  }
  const [, cursor = ''] = /--cursor (\S+)\n$/.exec(await stderr) ?? [];
  return { lines, cursor, status: await exited };
}

test('verify prints an anchor, and ends with 3 where the log is not what was sealed', async () => {
  await expect
    .poll(async () => (await json('maintenance', 'status')).unsealedEvents, { timeout: 5_000 })
    .toBe('0');
  const intact = await optix('events', 'verify');
  expect(intact).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^intact: \d+ entries were looked at/),
  });
  const [, anchor = ''] = /^anchor: (\d+:[0-9a-f]{64})$/m.exec(intact.stdout) ?? [];
  expect((await json('events', 'verify', '--anchor', anchor, '--from-anchor')).intact).toBe(true);
  const other = `${anchor.split(':')[0]}:${'0'.repeat(64)}`;
  expect(await optix('events', 'verify', '--anchor', other)).toMatchObject({
    status: 3,
    stdout: expect.stringMatching(/^NOT INTACT: [\s\S]*\d+ +anchor_mismatch/),
  });
});

test('maintenance tells of its tasks, and runs one to its end', async () => {
  const { status, stdout } = await optix('maintenance', 'status');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^task +state[\s\S]*\npartitions +well [\s\S]*\nrun by: \S+/);
  const before = (await json('maintenance', 'run', 'partitions')).lastStartTime;
  expect((await json('maintenance', 'run', 'partitions')).lastStartTime > before).toBe(true);
  expect(await optix('maintenance', 'run', 'dance')).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^optix: \[not_found\] /),
  });
});

test('a task that fails is told of with its reason', async () => {
  await withTestClient(database.url, async (client) => {
    await client.query('alter function user_service.ensure_partitions rename to ensure_away');
    try {
      const run = await optix('maintenance', 'run', 'partitions');
      expect(run).toMatchObject({ status: 3, stdout: expect.stringMatching(/partitions +failed /) });
      expect((await optix('maintenance', 'status')).status).toBe(3);
    } finally {
      await client.query('alter function user_service.ensure_away rename to ensure_partitions');
    }
    expect((await optix('maintenance', 'run', 'partitions')).status).toBe(0);
  });
});

const EACH: string[][] = [
  ['sessions', 'list', '--user', '0192f0c1-3b5e-7a00-8000-000000000001'],
  ['sessions', 'revoke', '0192f0c1-3b5e-7a00-8000-000000000001'],
  ['keys', 'list'],
  ['keys', 'rotate'],
  ['keys', 'revoke', 'kid'],
  ['events', 'list'],
  ['events', 'tail'],
  ['events', 'verify'],
  ['events', 'resolve', '0192f0c1-3b5e-7a00-8000-000000000001', '--by', 'op'],
  ['maintenance', 'status'],
  ['maintenance', 'run', 'partitions'],
];

test('each command says in one line what the caller lacks, without its key', async () => {
  for (const command of EACH) {
    const { status, stderr } = await run([...command, ...there], 'key-of-desk');
    expect([command, status]).toEqual([command, 1]);
    expect(stderr).toMatch(/^optix: \[permission_denied\] .+\n$/);
    expect(stderr).not.toContain('key-of-desk');
  }
});

test.each([
  [['sessions'], 'sessions: what? One of list, revoke'],
  [['sessions', 'list'], '--user must be given'],
  [['sessions', 'revoke'], '<session> must be given'],
  [['sessions', 'revoke', 'a', '--user', 'b'], '"a" is one argument too many'],
  [['keys', 'dance'], 'keys: "dance" is none of list, rotate, revoke'],
  [['keys', 'revoke'], '<kid> must be given'],
  [['events', 'list', '--since', 'soon'], '--since must be a time'],
  [['events', 'list', '--limit', '0'], '--limit must be a number from 1 to 100000'],
  [['events', 'list', '--min-severity', 'bad'], '--min-severity must be one of info, low'],
  [['events', 'tail', '--cursor', 'a', '--from-beginning'], '--cursor or --from-beginning'],
  [['events', 'verify', '--anchor', '5'], '--anchor must be'],
  [['events', 'resolve', 'id'], '--by must be given'],
  [['maintenance', 'run'], '<task> must be given'],
  [['maintenance', 'run', 'a', '--timeout', '0'], '--timeout must be a number of seconds'],
])('optix %j is refused with what is wrong', async (args, says) => {
  const { status, stdout, stderr } = await run(args);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toContain(says);
});
