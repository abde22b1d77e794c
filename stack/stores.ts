import { join } from 'node:path';
import type { DataDirectory } from './data-directory.ts';
import { rotateLog } from './log-file.ts';
import { startPostgres } from './postgres-server.ts';
import { findRedis, startRedis } from './redis-server.ts';
import type { StackSettings } from './stack-settings.ts';
import { superviseStore } from './supervised-store.ts';

/** A store that the services are to use. */
export interface OpenStore extends AsyncDisposable {
  /** `undefined` where there is none: the services then do without. */
  readonly url: string | undefined;
  /** Whether it was started here, and keeps its data here. */
  readonly embedded: boolean;
  /** Settles, saying why, where it was started here and can't be kept running. */
  readonly lost: Promise<string>;
  /** Ends it at once, without regard to what it is doing. */
  kill(): void;
}

type Say = (line: string) => void;

const REDIS_HINT =
  'install redis-server (or valkey-server), or set REDIS_URL, for counts that survive a restart';

/** The database that DATABASE_URL names, or else the embedded one. */
export async function openDatabase(
  settings: StackSettings,
  data: DataDirectory,
  say: Say,
): Promise<OpenStore> {
  if (settings.databaseUrl !== undefined) {
    say('PostgreSQL: the one that DATABASE_URL names');
    return foreign(settings.databaseUrl);
  }
  const logFile = join(data.logs, 'postgres.log');
  rotateLog(logFile);
  const start = (port: number) => startPostgres({ dataDir: data.postgres, port, logFile });
  const store = await superviseStore('PostgreSQL', start, say);
  const { first } = store;
  say(`PostgreSQL ${first.version} on 127.0.0.1:${first.port}${first.created ? ', a new database' : ''}`);
  return {
    url: first.url,
    embedded: true,
    lost: store.lost,
    // Immediate shutdown: SIGKILL would leave its shared memory behind.
    kill: () => store.kill('SIGQUIT'),
    [Symbol.asyncDispose]: store.stop,
  };
}

/** The Redis that REDIS_URL names, or else one from PATH, or else none. */
export async function openRedis(settings: StackSettings, data: DataDirectory, say: Say): Promise<OpenStore> {
  if (settings.redisUrl !== undefined) {
    say('Redis: the one that REDIS_URL names');
    return foreign(settings.redisUrl);
  }
  const binary = findRedis();
  if (binary === undefined) {
    say(`Redis: none found, so ratelimit counts in its own memory; ${REDIS_HINT}`);
    return foreign(undefined);
  }
  const logFile = join(data.logs, 'redis.log');
  rotateLog(logFile);
  const start = (port: number) => startRedis({ binary, dir: data.redis, port, logFile, appendOnly: true });
  const store = await superviseStore('Redis', start, say);
  say(`Redis ${store.first.version} on 127.0.0.1:${store.first.port}`);
  return {
    url: store.first.url,
    embedded: true,
    lost: store.lost,
    kill: () => store.kill('SIGKILL'),
    [Symbol.asyncDispose]: store.stop,
  };
}

/** Somebody else's store: nothing to watch, to stop or to kill. */
function foreign(url: string | undefined): OpenStore {
  return {
    url,
    embedded: false,
    lost: new Promise<string>(() => undefined),
    kill: () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}
