import {
  clearDataDirectory,
  type DataDirectory,
  defaultDataDirectory,
  openDataDirectory,
} from '../../stack/data-directory.ts';
import { writeEnvironment } from '../../stack/environment-file.ts';
import { withLog } from '../../stack/log-file.ts';
import { endOrphans } from '../../stack/orphans.ts';
import { acquireRunLock } from '../../stack/run-lock.ts';
import type { ServiceProcess } from '../../stack/service-process.ts';
import { stackVariables, startIdentityService, startRateLimitService } from '../../stack/services.ts';
import { readStackSettings, requireFreePorts, type StackSettings } from '../../stack/stack-settings.ts';
import { type OpenStore, openDatabase, openRedis } from '../../stack/stores.ts';
import { firstCalls } from '../first-calls.ts';
import { HOME_DIRECTORY } from '../home-directory.ts';
import { type Interruption, watchInterruption } from '../interruption.ts';
import { EXIT } from '../output/exit-code.ts';
import { readArguments } from '../output/read-arguments.ts';
import { requireServicesNode } from '../services-node.ts';
import { failureText } from './migrate/failure-text.ts';

const HELP = `Usage: optix start [options]

Runs PostgreSQL, Redis and both services on this machine until Ctrl-C, and brings the database up to date. DATABASE_URL and
REDIS_URL name stores to use instead of those it would run; without a redis-server on the PATH it goes on without Redis. Its
other settings are those of the services (docs/configuration.md): IDENTITY_GRPC_PORT (50051), IDENTITY_HTTP_PORT
(8081), RATELIMIT_GRPC_PORT (50052), RATELIMIT_HTTP_PORT (8082), BIND_ADDRESS (127.0.0.1) and so on.

  --fresh             delete the data of former runs first
  --data-dir DIR      where data and logs are kept (OPTIX_DATA_DIR; else .optix in the checkout or, of
                      the package, in the current directory; for root under /var/lib)

Ends with 0 after Ctrl-C, with 1 where a part could not be started or ended by itself; a second Ctrl-C ends all at once.

  optix start
  optix start --fresh --data-dir /tmp/optix
  IDENTITY_GRPC_PORT=6051 RATELIMIT_GRPC_PORT=6052 optix start`;

const OPTIONS = { fresh: { type: 'boolean' }, 'data-dir': { type: 'string' } } as const;
const HEALTHY_MS = 30_000;

const say = (line: string) => console.log(line);

/** `optix start`: runs the stores and both services on this machine until it is interrupted. */
export async function startCommand(args: string[]): Promise<number> {
  const read = readArguments({ name: 'start', help: HELP, options: OPTIONS, json: false }, args);
  if (read === undefined) return EXIT.DONE;
  const { values: flags } = read;
  requireServicesNode();
  const settings = readStackSettings(process.env);
  const killers: (() => void)[] = [];
  const interruption = watchInterruption(() => {
    for (const kill of killers) kill();
    process.exit(EXIT.FAILURE);
  });
  // Whoever reads the output may go away before this ends: that is no reason to leave the rest running.
  process.stdout.on('error', () => undefined);

  const data = openDataDirectory(
    flags['data-dir'] || process.env['OPTIX_DATA_DIR'] || defaultDataDirectory(HOME_DIRECTORY),
  );
  using _lock = acquireRunLock(data, portsOf(settings));
  const orphans = await endOrphans(data);
  if (orphans.length > 0) say(`ended what an earlier run had left: ${orphans.join(', ')}`);
  if (flags.fresh) {
    clearDataDirectory(data);
    say(`deleted the data of former runs in ${data.path}`);
  }
  await requireFreePorts(settings);
  // Awaited here: the lock goes when this function returns.
  return await run(data, settings, interruption, killers);
}

async function run(
  data: DataDirectory,
  settings: StackSettings,
  interruption: Interruption,
  killers: (() => void)[],
): Promise<number> {
  // Disposed in reverse: identity drains while the limiter and the stores still serve it.
  await using parts = new AsyncDisposableStack();
  const goOn = () => interruption.signal.throwIfAborted();
  try {
    // The ORM takes half a second to load: meanwhile PostgreSQL starts.
    const migration = import('../../stack/migrate-database.ts');
    const database = parts.use(await openDatabase(settings, data, say));
    killers.push(database.kill);
    goOn();
    const redis = parts.use(await openRedis(settings, data, say));
    killers.push(redis.kill);
    goOn();
    const { migrateDatabase } = await migration;
    const url = database.url as string;
    const applied = await migrateDatabase(url).catch((error: unknown) => {
      throw new Error(failureText(error, url) ?? (error as Error).message, { cause: error });
    });
    say(applied.length > 0 ? `database: applied ${applied.join(', ')}` : 'database: up to date');
    goOn();

    const context = { directory: HOME_DIRECTORY, data, settings, database, redis, env: process.env, say };
    parts.use(writeEnvironment(data, stackVariables(context)));
    const services = [startRateLimitService, startIdentityService].map((start) => {
      const service = parts.use(start(context));
      killers.push(() => service.kill('SIGKILL'));
      return service;
    });
    const failed = firstFailure(services, [database, redis]);
    const healthy = Promise.all(services.map((service) => service.untilServing(HEALTHY_MS)));
    await Promise.race([healthy, failed, interruption.requested]);
    goOn();
    say(`both services are serving, ${process.uptime().toFixed(1)} s after the start`);
    const keyed = ['IDENTITY_CALLER_KEYS', 'RATELIMIT_CALLER_KEYS'].some((name) => process.env[name]?.trim());
    say(firstCalls(settings, data, keyed));

    await Promise.race([failed, interruption.requested]);
    say('stopping ...');
    await parts.disposeAsync();
    say('stopped');
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    say('interrupted, stopping ...');
  }
  return EXIT.DONE;
}

/** Rejects when a part that everything depends on ends by itself. Never fulfils. */
function firstFailure(services: readonly ServiceProcess[], stores: readonly OpenStore[]): Promise<never> {
  const ends = [
    ...stores.map((store) => store.lost),
    ...services.map(async ({ name, exited, logFile }) => withLog(`${name} ended (${await exited})`, logFile)),
  ];
  const failure = Promise.race(ends).then((what): never => {
    throw new Error(what);
  });
  // At a regular stop everything ends too, and nobody listens any more.
  failure.catch(() => undefined);
  return failure;
}

function portsOf(settings: StackSettings): string {
  const { identityGrpcPort, identityHttpPort, ratelimitGrpcPort, ratelimitHttpPort } = settings;
  const identity = `identity on ports ${identityGrpcPort} and ${identityHttpPort}`;
  return `${identity}, ratelimit on ${ratelimitGrpcPort} and ${ratelimitHttpPort}`;
}
