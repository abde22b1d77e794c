import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { stackDirectory } from '../testing/stack-directory.ts';
import { endRedis, findRedis, startRedis } from './redis-server.ts';

async function command<T>(url: string, run: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url);
  try {
    return await run(client);
  } finally {
    client.disconnect();
  }
}

test('serves on loopback only, and leaves nothing behind when it stops', async () => {
  const server = await startRedis();
  const directory = await command(
    server.url,
    async (client) => (await client.config('GET', 'dir')) as string[],
  );
  expect(directory[1]).toContain(tmpdir());
  expect(await command(server.url, (client) => client.config('GET', 'bind'))).toEqual(['bind', '127.0.0.1']);
  expect(server.version).toMatch(/^\d+\.\d+/);

  await server.stop();
  await expect(server.exited).resolves.toBe('exit code 0');
  expect(existsSync(directory[1] as string)).toBe(false);
});

test('keeps what was written, where it appends to a file, over a stop', async () => {
  using directory = stackDirectory();
  const options = { dir: directory.path, appendOnly: true };
  const first = await startRedis(options);
  await command(first.url, (client) => client.set('kept', 'yes'));
  await first.stop();

  await using second = await startRedis(options);
  expect(await command(second.url, (client) => client.get('kept'))).toBe('yes');
});

test('ends the server that a killed run left in the directory', async () => {
  using directory = stackDirectory();
  const orphan = await startRedis({ dir: directory.path });
  await using _next = await startRedis({ dir: directory.path });
  await expect(orphan.exited).resolves.toBe('exit code 0');
});

test('finds nothing to end after kill -9', async () => {
  using directory = stackDirectory();
  const server = await startRedis({ dir: directory.path });
  server.kill('SIGKILL');
  await expect(server.exited).resolves.toBe('ended by SIGKILL');
  await expect(endRedis(directory.path)).resolves.toBeUndefined();
  await expect(server.stop()).resolves.toBeUndefined();
});

test('leaves no temporary directory where it was killed', async () => {
  const server = await startRedis();
  const [, dir] = await command(
    server.url,
    async (client) => (await client.config('GET', 'dir')) as string[],
  );
  server.kill('SIGKILL');
  await server.exited;
  await server.stop();
  expect(existsSync(dir as string)).toBe(false);
});

test('stops a server that was halted', async () => {
  const server = await startRedis();
  server.kill('SIGSTOP');
  await server.stop();
  await expect(server.exited).resolves.toBe('exit code 0');
});

test('says what the server said where it does not start', async () => {
  using directory = stackDirectory();
  await using other = await startRedis();
  const taken = startRedis({ dir: directory.path, port: other.port });
  await expect(taken).rejects.toThrow(/Redis does not start: exit code 1/);
  await expect(taken).rejects.toThrow(/Address already in use/);
  const wrong = startRedis({ dir: directory.path, args: ['--no-such-setting', '1'] });
  await expect(wrong).rejects.toThrow(/no-such-setting/);
});

test('is found by the names redis-server and valkey-server, on the given PATH', () => {
  expect(findRedis()).toMatch(/(redis|valkey)-server$/);
  expect(findRedis('/nonexistent')).toBeUndefined();
  expect(findRedis('')).toBeUndefined();
});

test('a program that can not be run is an error, and leaves no directory', async () => {
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith('optix-redis-'));
  await expect(startRedis({ binary: join('/nonexistent', 'redis-server') })).rejects.toThrow(
    /could not be run/,
  );
  const after = readdirSync(tmpdir()).filter((name) => name.startsWith('optix-redis-'));
  expect(after.filter((name) => !before.includes(name))).toEqual([]);
});
