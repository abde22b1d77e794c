import { expect, test } from 'vitest';
import { stackDirectory } from '../testing/stack-directory.ts';
import { type RedisServer, startRedis } from './redis-server.ts';
import { superviseStore } from './supervised-store.ts';

test('a store that was killed is started again on its port', async () => {
  using directory = stackDirectory();
  const said: string[] = [];
  const started: RedisServer[] = [];
  const back = Promise.withResolvers<void>();
  await using store = await superviseStore(
    'Redis',
    async (port) => {
      const server = await startRedis({ dir: directory.path, port });
      started.push(server);
      return server;
    },
    (line) => {
      said.push(line);
      if (line.endsWith('is back')) back.resolve();
    },
  );
  store.kill('SIGKILL');
  await back.promise;
  expect(said).toEqual(['Redis ended (ended by SIGKILL); starting it again', 'Redis is back']);
  expect(started.map(({ port }) => port)).toEqual([store.first.port, store.first.port]);

  await store.stop();
  await expect(started[1]?.exited).resolves.toBe('exit code 0');
});

test('a store that can not be started again is lost', async () => {
  using directory = stackDirectory();
  let starts = 0;
  const store = await superviseStore(
    'Redis',
    (port) => {
      starts += 1;
      return startRedis({ dir: directory.path, port, args: starts > 1 ? ['--no-such-setting', '1'] : [] });
    },
    () => undefined,
  );
  store.kill('SIGKILL');
  await expect(store.lost).resolves.toMatch(
    /^Redis can't be kept running: Redis does not start: exit code 1/,
  );
  await store.stop();
});

test('a store that ends again and again is given up', async () => {
  let starts = 0;
  const store = await superviseStore(
    'Store',
    async () => {
      starts += 1;
      return {
        port: 1,
        exited: Promise.resolve('exit code 3'),
        stop: async () => undefined,
        kill: () => undefined,
      };
    },
    () => undefined,
  );
  await expect(store.lost).resolves.toBe("Store can't be kept running: exit code 3");
  expect(starts).toBe(6);
  await store.stop();
});
