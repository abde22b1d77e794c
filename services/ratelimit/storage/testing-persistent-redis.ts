import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis } from '../../../stack/redis-server.ts';
import { killRedis } from './testing-redis.ts';

/** A Redis that has written all it answered to disk, and that can be killed and started again at the same port. */
export interface PersistentRedis extends AsyncDisposable {
  readonly url: string;
  crash(): Promise<void>;
  restart(): Promise<void>;
}

export async function persistentRedis(): Promise<PersistentRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'optix-redis-'));
  const options = { appendOnly: true, dir, args: ['--appendfsync', 'always'] };
  let server = await startRedis(options);
  return {
    url: server.url,
    crash: () => killRedis(server),
    async restart() {
      server = await startRedis({ ...options, port: server.port });
    },
    async [Symbol.asyncDispose]() {
      await killRedis(server);
      await rm(dir, { recursive: true, force: true });
    },
  };
}
