import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, expect, test } from 'vitest';
import { stackDirectory } from '../testing/stack-directory.ts';
import { postgresAccount } from './postgres-account.ts';
import { startPostgres } from './postgres-server.ts';

// The tests go on with one another's data: making a cluster is what takes long.
const directory = stackDirectory();
const dataDir = join(directory.path, 'postgres');
const settings = { fsync: 'off' };
afterAll(() => directory[Symbol.dispose]());

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test('begins anew where the making of the cluster was broken off', async () => {
  const unfinished = join(dataDir, 'unfinished-1', 'cluster');
  mkdirSync(unfinished, { recursive: true });
  chmodSync(dataDir, 0o711);
  writeFileSync(join(unfinished, 'PG_VERSION'), '18\n');
  await using server = await startPostgres({ dataDir, settings });
  expect(server.created).toBe(true);
  expect(existsSync(unfinished)).toBe(false);
});

test('keeps its data from one start to the next, over a stop and over kill -9', async () => {
  const first = await startPostgres({ dataDir, settings });
  expect(first.created).toBe(false);
  await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
  await first.stop();
  await expect(first.exited).resolves.toBe('exit code 0');

  const second = await startPostgres({ dataDir, settings });
  expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  second.kill('SIGKILL');
  await expect(second.exited).resolves.toBe('ended by SIGKILL');

  await using third = await startPostgres({ dataDir, settings });
  expect(await query(third.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
});

test('ends the server that a killed run left on the data', async () => {
  const orphan = await startPostgres({ dataDir, settings });
  await using _next = await startPostgres({ dataDir, settings });
  await expect(orphan.exited).resolves.toBe('exit code 0');
});

test('starts over a lock file whose process id went to another program, and leaves that alone', async () => {
  // Of the same user: PostgreSQL knows by itself that another user's process can't be a server on its data.
  const { uid, gid } = postgresAccount() ?? {};
  const other = spawn('sleep', ['60'], uid === undefined ? {} : { uid, ...(gid !== undefined && { gid }) });
  try {
    writeFileSync(join(dataDir, 'cluster', 'postmaster.pid'), `${other.pid}\n${join(dataDir, 'cluster')}\n`);
    await using server = await startPostgres({ dataDir, settings });
    expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(other.signalCode).toBeNull();
  } finally {
    other.kill('SIGKILL');
  }
});

test('keeps its password where only its owner can read it', async () => {
  await using server = await startPostgres({ dataDir, settings });
  const file = join(dataDir, 'password');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(new URL(server.url).password).toBe(readFileSync(file, 'utf8').trim());
  await expect(query(server.url.replace(/:[^:@]+@/, ':wrong@'), 'SELECT 1')).rejects.toThrow(/password/);
});

test('says what the server said where it does not start', async () => {
  const wrong = startPostgres({ dataDir, settings: { ...settings, shared_buffers: 'much' } });
  await expect(wrong).rejects.toThrow(/PostgreSQL does not start: exit code 1/);
  await expect(wrong).rejects.toThrow(/invalid value for parameter "shared_buffers"/);
});

test('refuses data that another major version made', async () => {
  writeFileSync(join(dataDir, 'cluster', 'PG_VERSION'), '9\n');
  await expect(startPostgres({ dataDir, settings })).rejects.toThrow(/made by PostgreSQL 9/);
});
