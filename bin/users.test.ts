import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { keyDigest } from '../runtime/callers/caller-key.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { startTestIdentity, type TestService } from '../testing/services.ts';
import { usersCommand } from './commands/users.ts';
import { runOptix, startOptix } from './testing-optix.ts';
import { printedBy } from './testing-printed.ts';
import { UsageError } from './usage.ts';

/** In bcrypt's form; nobody signs in with it. */
const BCRYPT = '$2b$04$l5YYQwBPxIkWu5LVWYGPY.Rnh7Jlc1vw4CQbBLRwSGyy3gMxBgA0O';

let directory: string;
let mails: string;
let database: TestDatabase;
let service: TestService;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'optix-users-'));
  mails = join(directory, 'mails');
  database = await createTestDatabase();
  service = await startTestIdentity({
    DATABASE_URL: database.url,
    RATE_LIMIT_ENABLED: 'false',
    MAIL_URL: `file://${mails}`,
    IDENTITY_CALLER_KEYS: `ops=${keyDigest('key-of-ops')};*,desk=${keyDigest('key-of-desk')};users.read`,
  });
  await vi.waitFor(async () => expect((await service.get('/health')).status).toBe(200), 10_000);
  vi.stubEnv('OPTIX_API_KEY', 'key-of-ops');
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

async function users(...args: string[]) {
  return await printedBy(() => usersCommand([...args, '--address', service.grpcAddress]));
}

/** The document that a command prints. */
async function json(...args: string[]) {
  const { error, stdout } = await users(...args, '--json');
  if (error !== undefined) throw error;
  return JSON.parse(stdout);
}

async function rows<R extends object>(sql: string): Promise<R[]> {
  return await withTestClient(database.url, async (client) => (await client.query(sql)).rows as R[]);
}

test('a user is added, shown, changed and listed', async () => {
  const made = await users(
    'create',
    '--email',
    'ada@example.com',
    '--first-name',
    'Ada',
    '--roles',
    'user,trial',
  );
  expect(made.stdout).toMatch(
    /^id +email +status +roles +name +note\n\S+ +ada@example\.com +active +user,trial +Ada\n$/,
  );
  const { user } = await json('get', 'ADA@example.com');
  expect((await users('get', user.id)).stdout).toMatch(/^field +value\nid +\S+\nemail +ada@example\.com\n/);
  expect((await json('get', '--id', user.id)).user).toEqual(user);
  expect((await json('get', '--email', 'ada@example.com')).user).toEqual(user);

  const updated = await json('update', user.id, '--last-name', 'King', '--first-name', '', '--actor', 'op-7');
  expect(updated.user).toMatchObject({ firstName: '', lastName: 'King', email: 'ada@example.com' });
  const stale = await users('update', user.id, '--last-name', 'Lovelace', '--etag', user.etag);
  expect(stale.error?.message).toMatch(/^\[aborted\] /);

  const said = ['--actor', 'op-7', '--reason', 'a test'];
  expect((await users('suspend', 'ada@example.com', ...said)).stdout).toContain('  suspended  ');
  expect((await json('list', '--status', 'suspended,inactive')).users).toHaveLength(1);
  expect((await users('reactivate', '--id', user.id, ...said)).stdout).toContain('  active  ');
  expect((await json('roles', user.id, '--roles', 'premium', ...said)).user.roles).toEqual(['premium']);
  await rows(`update user_service.users set locked_until = now() + interval '1 hour'`);
  expect((await users('list', '--prefix', 'ada')).stdout).toMatch(/ locked\n$/);
  expect((await json('unlock', user.id, ...said)).user.lockExpireTime).toBeUndefined();
  expect(
    await rows(`select 1 from user_service.security_events where metadata->>'actor' = 'op-7'`),
  ).toHaveLength(5);
});

test('a deleted user is restored, or erased for good, never without consent', async () => {
  const { user } = await json('create', '--email', 'gone@example.com');
  expect((await json('delete', 'gone@example.com')).user.status).toBe('USER_STATUS_DELETED');
  expect((await users('get', 'gone@example.com')).error?.message).toMatch(/^\[not_found\] /);
  expect((await json('list', '--deleted', '--prefix', 'gone')).users).toHaveLength(1);
  expect((await json('undelete', user.id)).user.status).toBe('USER_STATUS_ACTIVE');
  expect((await users('purge', user.id, '--yes')).error?.message).toMatch(/^\[failed_precondition\] /);
  await users('delete', user.id);
  const unasked = await users('purge', user.id);
  expect(unasked.error).toBeInstanceOf(UsageError);
  expect(unasked.error?.message).toContain('--yes must be given');
  expect((await json('get', user.id)).user.id).toBe(user.id);
  expect((await users('purge', user.id, '--yes')).stdout).toMatch(
    new RegExp(`^erased ${user.id}: 0 sessions, `),
  );
  expect((await users('get', user.id)).error?.message).toMatch(/^\[not_found\] /);
});

test('a password comes by standard input, and shows nowhere', async () => {
  const args = ['users', 'create', '--email', 'pw@example.com', '--password-stdin', '--verified', '--json'];
  const where = ['--address', service.grpcAddress];
  const key = { OPTIX_API_KEY: 'key-of-ops' };
  const made = await runOptix([...args, ...where], key, 'correct horse battery staple\n');
  expect(made).toMatchObject({ status: 0, stderr: '' });
  expect(JSON.parse(made.stdout).user).toMatchObject({ hasPassword: true, verifyTime: expect.any(String) });
  const weak = await runOptix([...args, ...where], key, 'hush-hush\n');
  expect(weak).toMatchObject({ status: 1, stdout: '' });
  expect(weak.stderr).not.toContain('hush-hush');
});

test('second factors are reset, and the mail for the address is sent once more', async () => {
  await users('create', '--email', 'mail@example.com');
  expect((await users('reset-factors', 'mail@example.com', '--actor', 'op-7')).stdout).toBe(
    'second factors are removed; sessions that ended: 0\n',
  );
  expect((await users('verify-email', 'mail@example.com')).stdout).toMatch(
    /^a mail is on its way; .* until 20/,
  );
  await vi.waitFor(() => expect(readdirSync(mails).length).toBeGreaterThan(0), 10_000);
});

test('users of another system are imported; who is refused is told with the line', async () => {
  const file = join(directory, 'users.jsonl');
  const lines = [
    {
      email: 'one@example.org',
      passwordHash: BCRYPT,
      roles: ['premium'],
      createTime: '2020-01-31T12:00:00Z',
    },
    '',
    { email: 'two@example.org', firstName: 'T\u001b[2Jwo' },
    { email: 'nowhere' },
    { email: 'ONE@example.org' },
  ];
  writeFileSync(file, lines.map((line) => (line === '' ? '' : JSON.stringify(line))).join('\n'));
  const { status, stdout } = await users('import', file);
  expect(status).toBe(3);
  expect(stdout).toMatch(/^line +reason +description\n/);
  expect(stdout).toMatch(/^ +4 +invalid +email /m);
  expect(stdout).toMatch(/^ +5 +email_already_registered /m);
  expect(stdout).toMatch(/\nadded: \d, refused: \d\n$/);
  expect((await json('get', 'one@example.org')).user).toMatchObject({
    hasPassword: true,
    createTime: '2020-01-31T12:00:00Z',
  });

  const again = await runOptix(
    ['users', 'import', '-', '--json', '--address', service.grpcAddress],
    { OPTIX_API_KEY: 'key-of-ops' },
    readFileSync(file, 'utf8'),
  );
  expect([again.status, JSON.parse(again.stdout).importedCount]).toEqual([3, '0']);
});

test.each([
  ['{"email":"a@example.org"', 'it must be one JSON object'],
  ['["a@example.org"]', 'it must be one JSON object'],
  [`{"email":"a@example.org","password":"${BCRYPT}"}`, 'there is no field "password"'],
  [
    `{"email":"a@example.org","passwordHash":["${BCRYPT}"]}`,
    'the field password_hash has a value of another kind',
  ],
])('an import ends at a line that is no user, and repeats nothing of it: %s', async (line, says) => {
  const file = join(directory, 'bad.jsonl');
  writeFileSync(file, `{"email":"fine@example.org"}\n${line}\n`);
  const { error, stdout } = await users('import', file);
  expect(error?.message).toBe(`${file}:2 is no user to import: ${says}`);
  expect(stdout).toBe('');
});

test('an import says why a file can not be read', async () => {
  expect((await users('import', join(directory, 'none'))).error?.message).toMatch(
    /none can't be read: ENOENT$/,
  );
  expect((await users('import', directory)).error?.message).toMatch(/ is a directory$/);
});

test('all users are exported, a line each, and a list says where there are more', async () => {
  const file = join(directory, 'many.jsonl');
  const many = Array.from({ length: 1_200 }, (_, index) => `{"email":"u${index}@example.net"}\n`);
  writeFileSync(file, many.join(''));
  expect((await users('import', file)).stdout).toBe('added: 1200, refused: 0\n');

  const exported = (await users('export', '--prefix', 'u')).stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(exported.filter(({ email }) => email.endsWith('@example.net'))).toHaveLength(1_200);
  const { stdout, stderr } = await users('list');
  expect(stdout.trimEnd().split('\n')).toHaveLength(1 + 1_000);
  expect(stderr).toMatch(/^there are more than these 1000: --limit, /);
  const list = await json('list', '--limit', '1100', '--prefix', 'u', '--order-by', 'email desc');
  expect(list.users).toHaveLength(1_100);
  expect(list.nextPageToken).not.toBe('');
});

test.each(['list', 'export'])('users %s ends quietly where nobody reads on', async (action) => {
  const child = startOptix(['users', action, '--address', service.grpcAddress], {
    OPTIX_API_KEY: 'key-of-ops',
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk));
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const [status] = await once(child, 'close');
  expect([status, errors.replace(/^there are more .*\n$/, '')]).toEqual([0, '']);
});

test('a refusal is one line with what to do', async () => {
  expect((await users('get', '--id', 'x')).error?.message).toContain('id must be a UUID');
  vi.stubEnv('OPTIX_API_KEY', 'key-of-desk');
  expect((await users('suspend', 'ada@example.com')).error?.message).toMatch(
    /^\[permission_denied\] .*users\.admin.*optix callers create --scopes/,
  );
  expect((await users('export')).error?.message).toMatch(/^\[permission_denied\] /);
  expect((await users('import', join(directory, 'users.jsonl'))).error?.message).toMatch(
    /^\[permission_denied\] /,
  );
  vi.stubEnv('OPTIX_API_KEY', 'hush');
  expect((await users('list')).error?.message).toMatch(/^\[unauthenticated\] .*: check OPTIX_API_KEY$/);
  vi.stubEnv('OPTIX_API_KEY', 'key-of-ops');
});

test.each([
  [[], 'users: what? One of list, get, create'],
  [['purg'], 'did you mean purge?'],
  [['suspend', 'a', '--id', 'b'], '<user> or --id, not both'],
  [['get'], '<user> must be given'],
  [['get', 'a', '--email', 'b'], '<user> must be given, once'],
  [['update', 'a'], 'one of --email, --first-name, --last-name, --phone must be given'],
  [['list', '--status', 'gone'], '--status "gone" is none of active, inactive, suspended, deleted'],
  [['list', '--limit', '0'], '--limit must be a number from 1 to 100000'],
  [['list', '--since', 'soon'], '--since must be a time'],
])('users %j is refused with what is wrong', async (args, says) => {
  const { error } = await printedBy(() => usersCommand(args));
  expect(error).toBeInstanceOf(UsageError);
  expect(error?.message).toContain(says);
});
