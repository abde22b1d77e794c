import { accessSync, constants, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { EndStep } from './end-process.ts';
import { lastLines, withLog } from './log-file.ts';
import { endRemembered, writePidFile } from './pid-file.ts';
import { freePort } from './ports.ts';
import { type StoreProcess, startStoreProcess } from './store-process.ts';

export interface RedisServerOptions {
  /** Program to run; by default what findRedis() finds. */
  binary?: string;
  /** 0, the default, takes a free one. */
  port?: number;
  /** Where its files are kept; by default a temporary directory that goes when the server stops. */
  dir?: string;
  /** Whether it writes an append-only file (and reads it at the next start). Default: false, nothing is kept. */
  appendOnly?: boolean;
  /** More arguments, for example `['--databases', '64']`. */
  args?: readonly string[];
  /** Where the server's log is appended to; by default `redis.log` in `dir`. */
  logFile?: string;
}

/** A Redis (or Valkey) server on 127.0.0.1 that this process started. */
export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** The version it reports to clients, for example `7.0.15`. */
  readonly version: string;
  /** Settles, saying how, when the server ends: by stop() or by itself. */
  readonly exited: Promise<string>;
  stop(): Promise<void>;
  /** Sends a signal to the server, for tests of what happens then. */
  kill(signal: NodeJS.Signals): void;
}

const REDIS_END: readonly EndStep[] = [
  { signal: 'SIGTERM', waitMs: 10_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
];

/** Long enough to read a large append-only file. */
const READY_MS = 60_000;
const START_TRIES = 10;

/** The path of `redis-server` or `valkey-server`, as PATH has it; `undefined` where it has neither. */
export function findRedis(path = process.env['PATH'] ?? ''): string | undefined {
  for (const name of ['redis-server', 'valkey-server']) {
    for (const directory of path.split(delimiter).filter(Boolean)) {
      const file = join(directory, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // Not here: the next directory.
      }
    }
  }
  return undefined;
}

/**
 * Starts a Redis server, after ending one that an earlier, killed run left in the same directory.
 *
 * @throws Error with the end of the server's log where it does not come up, or where there is no Redis.
 */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const binary = options.binary ?? findRedis();
  if (binary === undefined) throw new Error('neither redis-server nor valkey-server is on PATH');
  const dir = options.dir === undefined ? mkdtempSync(join(tmpdir(), 'optix-redis-')) : resolve(options.dir);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  await endRemembered(redisPidFile(dir), REDIS_END);
  const removeDir = options.dir === undefined;
  const logFile = options.logFile ?? join(dir, 'redis.log');

  for (let tries = 1; ; tries++) {
    const port = options.port || (await freePort());
    const server = startStoreProcess(binary, redisArguments(dir, port, options), { cwd: dir, logFile });
    try {
      if (server.pid !== undefined) writePidFile(redisPidFile(dir), server.pid);
      const version = await untilReady(server, port);
      return handle(server, port, version, dir, removeDir);
    } catch (error) {
      const ran = server.pid !== undefined && server.ended() !== undefined;
      await server.end(REDIS_END);
      // A free port can be taken by somebody else before Redis gets to it.
      if (ran && !options.port && tries < START_TRIES && lastLines(logFile).some(isPortTaken)) continue;
      const report = withLog(`Redis does not start: ${(error as Error).message}`, logFile);
      if (removeDir) await rm(dir, { recursive: true, force: true });
      throw new Error(report, { cause: error });
    }
  }
}

/** Ends the Redis server that a killed run left in the directory; returns its id, if there was one. */
export function endRedis(dir: string): Promise<number | undefined> {
  return endRemembered(redisPidFile(dir), REDIS_END);
}

function redisPidFile(dir: string): string {
  return join(dir, 'redis.pid');
}

function redisArguments(
  dir: string,
  port: number,
  { appendOnly = false, args = [] }: RedisServerOptions,
): string[] {
  const settings = [
    ['--bind', '127.0.0.1'],
    ['--port', String(port)],
    ['--dir', dir],
    ['--save', ''],
    ['--appendonly', appendOnly ? 'yes' : 'no'],
    ['--daemonize', 'no'],
  ];
  return [...settings.flat(), ...args];
}

function isPortTaken(logLine: string): boolean {
  return logLine.includes('Address already in use');
}

/** Returns the version once this very process (not another on the same port) answers and has read its data. */
async function untilReady(server: StoreProcess, port: number): Promise<string> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const info = await serverInfo(port);
    const end = server.ended();
    if (end !== undefined) throw new Error(end);
    if (info?.get('process_id') === String(server.pid)) {
      return info.get('valkey_version') ?? info.get('redis_version') ?? 'unknown';
    }
    if (performance.now() > deadline) throw new Error(`no answer on port ${port} within ${READY_MS} ms`);
    await sleep(20);
  }
}

/** What `INFO server` says, once PING is answered; `undefined` while it is not. */
async function serverInfo(port: number): Promise<Map<string, string> | undefined> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: 1_000,
    commandTimeout: 1_000,
    enableReadyCheck: false,
  });
  // The failed command tells; without a listener the client would print it too.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.ping();
    const lines = (await client.info('server')).split('\r\n');
    return new Map(lines.map((line) => line.split(':', 2) as [string, string]));
  } catch {
    return undefined;
  } finally {
    client.disconnect();
  }
}

function handle(
  server: StoreProcess,
  port: number,
  version: string,
  dir: string,
  removeDir: boolean,
): RedisServer {
  const removed = server.exited.then(() => {
    // Also where it was killed: a temporary directory belongs to nobody then.
    rmSync(removeDir ? dir : redisPidFile(dir), { recursive: true, force: true });
  });
  const stop = async () => {
    await server.end(REDIS_END);
    await removed;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: server.pid as number,
    version,
    exited: server.exited,
    stop,
    kill: server.kill,
    [Symbol.asyncDispose]: stop,
  };
}
