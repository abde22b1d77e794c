import { once } from 'node:events';
import { Server } from 'node:net';
import { expect, test, vi } from 'vitest';
import { DatabaseUnavailable } from '../services/identity/domain/errors.ts';
import { DatabaseError } from '../services/identity/storage/database-errors.ts';
import { createTestDatabase } from '../testing/database.ts';
import { failureText } from './commands/migrate/failure-text.ts';
import { migrateCommand } from './commands/migrate.ts';
import { runOptix } from './testing-optix.ts';
import { printedBy } from './testing-printed.ts';

async function migrate(databaseUrl: string, ...args: string[]) {
  vi.stubEnv('DATABASE_URL', databaseUrl);
  return await printedBy(() => migrateCommand(args));
}

test('tells what is pending, applies it, and finds nothing more to do', async () => {
  await using database = await createTestDatabase({ migrated: false });
  const plan = await migrate(database.url, '--plan');
  expect(plan).toMatchObject({
    status: 3,
    stdout: expect.stringMatching(/^(?:pending Migration\w+\n)+$/),
    stderr: '',
  });
  const { pending } = JSON.parse((await migrate(database.url, '--plan', '--json')).stdout);
  expect(plan.stdout).toBe(pending.map((name: string) => `pending ${name}\n`).join(''));

  const done = await migrate(database.url);
  expect(done).toMatchObject({ status: 0, stderr: '' });
  expect(done.stdout).toBe(pending.map((name: string) => `applied ${name}\n`).join(''));
  expect(await migrate(database.url, '--plan')).toMatchObject({
    status: 0,
    stdout: 'the database is up to date\n',
  });
  expect(JSON.parse((await migrate(database.url, '--json')).stdout)).toEqual({
    serverVersion: expect.stringMatching(/^\d+/),
    applied: [],
    pending: [],
  });
});

test.each([
  [{}, /^optix: DATABASE_URL must be set: [^\n]*\n$/],
  [
    { DATABASE_URL: 'postgres://nobody:hush@127.0.0.1:1/optix' },
    /^optix: the database can not be reached at 127\.0\.0\.1:1\/optix: ECONNREFUSED; is it running, [^\n]*\n$/,
  ],
])('without a database it is one line of error, without secrets: %j', async (env, says) => {
  const { status, stdout, stderr } = await runOptix(['migrate'], env);
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(says);
  expect(stderr).not.toContain('hush');
});

test('a database that does not answer is given up in seconds', async () => {
  const silent = new Server().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = silent.address();
  if (address === null || typeof address === 'string') throw new Error('it does not listen');
  const startedAt = performance.now();
  const { error } = await migrate(`postgres://optix@127.0.0.1:${address.port}/optix`);
  silent.close();
  expect(error?.message).toMatch(/^the database can not be reached at 127\.0\.0\.1:\d+\/optix: /);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});

test('what another migration holds up, or the role may not do, is told with what to do', () => {
  const refusal = (sqlState: string) => new DatabaseError({}, sqlState);
  const url = 'postgres://optix:hush@db.example/optix?host=/run/postgresql';
  const locked = new DatabaseUnavailable({ cause: refusal('55P03') });
  expect(failureText(locked, url)).toMatch(/most likely another migration: wait for it, or .*optix-migrate/);
  expect(failureText(refusal('42501'), url)).toMatch(
    /may not change the schema: migrate as the one that owns it/,
  );
  expect(failureText(new DatabaseUnavailable({ cause: refusal('28P01') }), url)).toBe(
    'the database can not be reached at /run/postgresql/optix: the database refused a statement: SQLSTATE 28P01; is it running, and is DATABASE_URL right?',
  );
  expect(failureText(new TypeError('a mistake'), url)).toBeUndefined();
});
