import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createRateLimitClient, type RateLimitClient } from '../../clients/ratelimit/rate-limit-client.ts';
import { type RedisServer, startRedis } from '../../stack/redis-server.ts';
import { NODE_COMPILE_CACHE } from '../compile-cache.ts';

/** Rate limiters as processes of their own, over one Redis, and connections to them. */
export interface LimiterProcesses extends AsyncDisposable {
  readonly redis: RedisServer;
  /** The first is connected to the first process, the second to the second, and so on round and round. */
  readonly clients: readonly RateLimitClient[];
}

/** @param rules text of their rules file */
export async function startLimiters(
  rules: string,
  processes: number,
  connections: number,
): Promise<LimiterProcesses> {
  await using resources = new AsyncDisposableStack();
  const redis = resources.use(await startRedis());
  const directory = resources.adopt(mkdtempSync(join(tmpdir(), 'optix-limiters-')), (path) =>
    rmSync(path, { recursive: true }),
  );
  const rulesFile = join(directory, 'rules.yaml');
  writeFileSync(rulesFile, rules);
  const children = Array.from({ length: processes }, () =>
    resources.adopt(startLimiter(redis.url, rulesFile), end),
  );
  const addresses = await Promise.all(children.map(addressOf));
  const clients = Array.from({ length: connections }, (_, connection) =>
    resources.use(createRateLimitClient({ address: addresses[connection % processes] as string })),
  );
  const owned = resources.move();
  return { redis, clients, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function startLimiter(redisUrl: string, rulesFile: string): ChildProcess {
  const main = fileURLToPath(new URL('../../services/ratelimit/main.ts', import.meta.url));
  return spawn(process.execPath, [main], {
    env: {
      PATH: process.env['PATH'] ?? '',
      NODE_COMPILE_CACHE,
      REDIS_URL: redisUrl,
      // Every answer shall be Redis's own, however busy the machine is.
      REDIS_TIMEOUT_MS: '10000',
      RATELIMIT_GRPC_PORT: '0',
      RATELIMIT_HTTP_PORT: '0',
      RATELIMIT_RULES_FILE: rulesFile,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function addressOf(child: ChildProcess): Promise<string> {
  const { stdout } = child;
  if (stdout === null) throw new Error('the output of the service is read');
  return await new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the service ended with code ${code}`)));
    createInterface({ input: stdout }).on('line', (line) => {
      const { msg, grpc_port: port } = JSON.parse(line) as { msg: string; grpc_port: number };
      if (msg === 'serving') resolve(`127.0.0.1:${port}`);
    });
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
