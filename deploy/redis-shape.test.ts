import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { freePort } from '../stack/ports.ts';
import { findRedis } from '../stack/redis-server.ts';
import { compose } from './testing-compose.ts';

const CONFIG = fileURLToPath(new URL('./redis.conf', import.meta.url));
const PASSWORD = 'a1b2c3';

/** Runs the container's own command on this machine: its paths are put elsewhere, its port is one that is free. */
async function startAsComposeDoes(directory: string) {
  const port = await freePort();
  const [shell = '', flags = '', script = ''] = compose.services['redis']?.command ?? [];
  const moved = script
    .replaceAll('$$', '$')
    .replaceAll('/etc/redis/redis.conf', CONFIG)
    .replaceAll('/tmp/redis.conf', join(directory, 'redis.conf'))
    .replace('exec redis-server', `exec ${findRedis()}`);
  const child = spawn(shell, [flags, `${moved.trim()} --port ${port} --bind 127.0.0.1 --dir ${directory}`], {
    env: { ...process.env, REDISCLI_AUTH: PASSWORD },
    stdio: 'ignore',
  });
  return { child, port };
}

describe('the Redis of docker-compose.yml', () => {
  it('keeps every count on disk, evicts none, and asks for the password', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'optix-redis-shape-'));
    const { child, port } = await startAsComposeDoes(directory);
    const options = { host: '127.0.0.1', port, retryStrategy: () => 50, maxRetriesPerRequest: 100 };
    const client = new Redis({ ...options, password: PASSWORD });
    const stranger = new Redis({ ...options, enableReadyCheck: false });
    for (const connection of [client, stranger]) connection.on('error', () => undefined);
    try {
      const names = ['appendonly', 'appendfsync', 'save', 'maxmemory', 'maxmemory-policy'];
      const values = await Promise.all(names.map(async (name) => await client.config('GET', name)));
      expect(Object.fromEntries(values as [string, string][])).toEqual({
        appendonly: 'yes',
        appendfsync: 'everysec',
        save: '',
        maxmemory: String(512 * 1024 * 1024),
        'maxmemory-policy': 'noeviction',
      });
      await expect(stranger.get('key')).rejects.toThrow('NOAUTH');
      expect(statSync(join(directory, 'redis.conf')).mode & 0o777).toBe(0o600);
    } finally {
      client.disconnect();
      stranger.disconnect();
      child.kill();
      if (child.exitCode === null) await once(child, 'exit');
      rmSync(directory, { recursive: true });
    }
  });
});
