import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { RedisTarget } from '../runtime/redis-target.ts';
import { writePidFile } from '../stack/pid-file.ts';
import { freePort } from '../stack/ports.ts';
import { findRedis, type RedisServer, startRedis } from '../stack/redis-server.ts';
import { type StoreProcess, startStoreProcess } from '../stack/store-process.ts';

const MASTER = 'counts';
const READY_MS = 20_000;

/** A master, its replica, and three sentinels that watch them, on loopback. */
export interface RedisSentinels extends AsyncDisposable {
  readonly target: RedisTarget;
  readonly master: RedisServer;
  readonly replica: RedisServer;
  /** Has the sentinels make the replica the master now, though the master is well. */
  failOver(): Promise<void>;
  /** Port of the server that the sentinels call the master now. */
  masterPort(): Promise<number>;
}

export interface RedisSentinelsOptions {
  /** Password of the sentinels themselves. */
  readonly sentinelPassword?: string;
  /** Password of the two servers. */
  readonly password?: string;
}

/** The sentinels take a server that is silent for 500 ms for dead. */
export async function startRedisSentinels(options: RedisSentinelsOptions = {}): Promise<RedisSentinels> {
  const { password, sentinelPassword } = options;
  await using resources = new AsyncDisposableStack();
  const access = password === undefined ? [] : ['--requirepass', password, '--masterauth', password];
  const syncAtOnce = ['--repl-diskless-sync-delay', '0'];
  const start = async (args: readonly string[]) => {
    const server = await startRedis({ args: [...syncAtOnce, ...args] });
    resources.defer(async () => {
      server.kill('SIGKILL');
      await server.stop();
    });
    // Not at the start: whether a server is up is asked without a password.
    if (password !== undefined) await setPassword(server, password);
    return server;
  };
  const master = await start([]);
  const replica = await start(['--replicaof', '127.0.0.1', `${master.port}`, ...access.slice(2)]);
  const directory = mkdtempSync(join(tmpdir(), 'optix-sentinels-'));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const ports = await Promise.all([1, 2, 3].map(() => freePort()));
  for (const port of ports) {
    const sentinel = startSentinel(directory, port, master.port, options);
    resources.defer(() => sentinel.end([{ signal: 'SIGKILL', waitMs: 5_000 }]));
  }
  const sentinels = ports.map((port) => {
    const client = new Redis({
      host: '127.0.0.1',
      port,
      ...(sentinelPassword && { password: sentinelPassword }),
      protocol: 2,
      enableReadyCheck: false,
    });
    client.on('error', () => undefined);
    resources.defer(() => client.disconnect());
    return client;
  });
  for (const sentinel of sentinels) await untilItKnowsAll(sentinel);

  const [first] = sentinels as [Redis];
  const owned = resources.move();
  return {
    target: {
      mode: 'sentinel',
      nodes: ports.map((port) => ({ host: '127.0.0.1', port })),
      database: 0,
      username: undefined,
      password,
      sentinel: { master: MASTER, password: sentinelPassword },
      tls: undefined,
    },
    master,
    replica,
    failOver: async () => {
      await first.call('SENTINEL', 'FAILOVER', MASTER);
    },
    masterPort: async () => {
      const [, port] = (await first.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER)) as [string, string];
      return Number(port);
    },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

async function setPassword(server: RedisServer, password: string): Promise<void> {
  const admin = new Redis(server.url, { protocol: 2 });
  try {
    await admin.config('SET', 'masterauth', password, 'requirepass', password);
  } finally {
    admin.disconnect();
  }
}

function startSentinel(
  directory: string,
  port: number,
  masterPort: number,
  { password, sentinelPassword }: RedisSentinelsOptions,
): StoreProcess {
  const own = join(directory, String(port));
  mkdirSync(own);
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${own}`,
    `sentinel monitor ${MASTER} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${MASTER} 500`,
    `sentinel failover-timeout ${MASTER} 3000`,
    ...(password === undefined ? [] : [`sentinel auth-pass ${MASTER} ${password}`]),
    ...(sentinelPassword === undefined
      ? []
      : [`requirepass ${sentinelPassword}`, `sentinel sentinel-pass ${sentinelPassword}`]),
  ];
  // Sentinels write what they learn into their own settings.
  const file = join(own, 'sentinel.conf');
  writeFileSync(file, `${lines.join('\n')}\n`);
  const binary = findRedis();
  if (binary === undefined) throw new Error('neither redis-server nor valkey-server is on PATH');
  const sentinel = startStoreProcess(binary, [file, '--sentinel'], {
    cwd: own,
    logFile: join(own, 'sentinel.log'),
  });
  if (sentinel.pid !== undefined) writePidFile(join(own, 'sentinel.pid'), sentinel.pid);
  return sentinel;
}

/** A sentinel can have a failover made once it knows the others and the replica. */
async function untilItKnowsAll(sentinel: Redis): Promise<void> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const flat = (await sentinel.call('SENTINEL', 'MASTER', MASTER).catch(() => [])) as string[];
    const fact = (name: string) => flat[flat.indexOf(name) + 1];
    if (fact('num-other-sentinels') === '2' && fact('num-slaves') === '1' && fact('flags') === 'master')
      return;
    if (performance.now() > deadline)
      throw new Error(`the sentinels do not come up: ${JSON.stringify(flat)}`);
    await sleep(20);
  }
}
