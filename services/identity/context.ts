import { setTimeout as sleep } from 'node:timers/promises';
import { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';
import { createRateLimitClient } from '../../clients/ratelimit/rate-limit-client.ts';
import type { Logger } from '../../runtime/logger.ts';
import { redisTarget } from '../../runtime/redis-settings.ts';
import type { RedisTarget } from '../../runtime/redis-target.ts';
import { StoreMonitor } from '../../runtime/store-monitor.ts';
import { encryptionKeys, type IdentityConfig } from './config.ts';
import { AccessTokens } from './domain/access-token.ts';
import type { AuthenticateDeps } from './domain/authenticate.ts';
import type { IntrospectDeps } from './domain/introspect.ts';
import type { Limiter } from './domain/limiter.ts';
import { PasswordHasher } from './domain/password-hasher.ts';
import type { UserReads } from './domain/reads.ts';
import type { RegisterDeps } from './domain/register.ts';
import { SecretBox } from './domain/secret-box.ts';
import { SigningKeys } from './domain/signing-keys.ts';
import { LimiterClient, unlimited } from './limiter-client.ts';
import { DatabaseProbe } from './storage/database-probe.ts';
import { ormOptions } from './storage/mikro-orm.config.ts';
import { OrmUnitOfWork } from './storage/orm-unit-of-work.ts';
import { RedisProbe } from './storage/redis-probe.ts';
import { SessionRepository } from './storage/session-repository.ts';
import { SigningKeyRepository } from './storage/signing-key-repository.ts';
import { UserRepository } from './storage/user-repository.ts';

/** How long the end of the process may wait for database connections to close. */
const CLOSE_TIMEOUT_MS = 3000;

/** What the handlers work with. Disposing it closes the stores. */
export interface IdentityContext extends AsyncDisposable {
  readonly registration: RegisterDeps;
  readonly authentication: AuthenticateDeps;
  readonly introspection: IntrospectDeps;
  readonly users: UserReads;
  readonly signingKeys: SigningKeys;
  readonly passwordMinLength: number;
  /** Stores to watch. */
  readonly monitors: readonly StoreMonitor[];
  /** Whether calls can be answered: while the database can. */
  readonly ready: () => boolean;
}

/** Builds everything the handlers need. Opens no connection that the start would have to wait for. */
export async function createContext(config: IdentityConfig, logger: Logger): Promise<IdentityContext> {
  await using resources = new AsyncDisposableStack();
  let pool: Pool | undefined;
  const orm = await MikroORM.init(
    ormOptions({
      databaseUrl: config.databaseUrl,
      poolSize: config.databasePoolSize,
      maxOverflow: config.databaseMaxOverflow,
      connectTimeoutMs: config.databaseConnectTimeoutMs,
      statementTimeoutMs: config.databaseStatementTimeoutMs,
      onConnectionLost: () => logger.debug('an idle database connection was lost'),
      onPoolCreated: (created) => {
        pool = created;
      },
    }),
  );
  resources.defer(async () => await closeWithin(orm, CLOSE_TIMEOUT_MS, logger));

  const keys = encryptionKeys(config);
  if (keys.isDevelopmentKey) {
    logger.warn('IDENTITY_ENCRYPTION_KEY is not set: using the development key, which everybody knows');
  }
  const signingKeys = new SigningKeys({
    store: new SigningKeyRepository(orm.em),
    secretBox: SecretBox.fromKeys(keys.primary, keys.older),
    onUnreadable: (kid, error) => logger.error({ kid, err: error }, 'a signing key can not be read'),
  });
  const accessTokens = new AccessTokens({
    keys: signingKeys,
    issuer: config.tokenIssuer,
    audience: config.tokenAudience,
    lifetimeSeconds: config.accessTokenLifetimeSeconds,
  });
  const hasher = new PasswordHasher({
    ...(config.hashingConcurrency > 0 ? { concurrency: config.hashingConcurrency } : {}),
    queueLimit: config.hashingQueue,
  });
  const users = new UserRepository(orm.em);
  const unitOfWork = new OrmUnitOfWork(orm.em);
  const limiter = resources.adopt(createLimiter(config, logger), ({ dispose }) => dispose()).limiter;
  const now = () => new Date();

  const database = resources.use(databaseMonitor(orm, config.databaseUrl, () => pool, resources, logger));
  const monitors = [database];
  const redis = redisTarget(config);
  if (redis !== undefined) monitors.push(resources.use(redisMonitor(redis, resources, logger)));

  const owned = resources.move();
  return {
    registration: { limiter, hasher, unitOfWork, now },
    authentication: {
      limiter,
      hasher,
      users,
      unitOfWork,
      accessTokens,
      sessionLifetimeMs: config.sessionLifetimeSeconds * 1000,
      now,
    },
    introspection: { accessTokens, sessions: new SessionRepository(orm.em), now },
    users,
    signingKeys,
    passwordMinLength: config.passwordMinLength,
    monitors,
    ready: () => database.status.up,
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

/** Waits for connections in use to come back, but not for ever: one to a server that hangs never does. */
async function closeWithin(orm: MikroORM, timeoutMs: number, logger: Logger): Promise<void> {
  const closed = orm.close().then(() => 'closed' as const);
  const outcome = await Promise.race([closed, sleep(timeoutMs, 'late' as const, { ref: false })]);
  if (outcome === 'late')
    logger.warn({ timeout_ms: timeoutMs }, 'database connections did not close in time');
}

function createLimiter(
  config: IdentityConfig,
  logger: Logger,
): { readonly limiter: Limiter; readonly dispose: () => void } {
  if (!config.rateLimitEnabled) return { limiter: unlimited, dispose: () => undefined };
  const client = createRateLimitClient({ address: config.rateLimitAddress, apiKey: config.rateLimitApiKey });
  const limiter = new LimiterClient({
    client,
    timeoutMs: config.rateLimitTimeoutMs,
    onUnavailable: config.rateLimitOnUnavailable,
    logger,
  });
  return { limiter, dispose: () => client[Symbol.dispose]() };
}

function databaseMonitor(
  orm: MikroORM,
  url: string,
  pool: () => Pool | undefined,
  resources: AsyncDisposableStack,
  logger: Logger,
): StoreMonitor {
  const probe = resources.use(new DatabaseProbe(orm, url));
  return new StoreMonitor({
    name: 'database',
    probe: async (signal) => await probe.probe(signal),
    facts: () => ({
      pool: {
        open: pool()?.totalCount ?? 0,
        idle: pool()?.idleCount ?? 0,
        waiting: pool()?.waitingCount ?? 0,
      },
    }),
    onChange: ({ up, error }) => {
      if (up) logger.info('the database is there');
      else logger.error({ reason: error }, 'the database is away');
    },
  });
}

function redisMonitor(target: RedisTarget, resources: AsyncDisposableStack, logger: Logger): StoreMonitor {
  const probe = resources.use(new RedisProbe(target));
  return new StoreMonitor({
    name: 'redis',
    probe: async () => await probe.ping(),
    onChange: ({ up, error }) => {
      if (up) logger.info('Redis is there');
      else logger.warn({ reason: error }, 'Redis is away; nothing depends on it');
    },
  });
}
