import { fileURLToPath } from 'node:url';
import { Migrator } from '@mikro-orm/migrations';
import { defineConfig, type Options } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';
import { AnsweredRequestEntity } from './answered-request.entity.ts';
import { ArchivedUserEntity } from './archived-user.entity.ts';
import { AuthChallengeEntity } from './auth-challenge.entity.ts';
import { BoundParametersDriver } from './bound-parameters-driver.ts';
import { CallerKeyEntity } from './caller-key.entity.ts';
import { superviseConnections } from './connection-supervision.ts';
import { MaintenanceTaskEntity } from './maintenance-task.entity.ts';
import { OneTimeTokenEntity } from './one-time-token.entity.ts';
import { OutgoingMailEntity } from './outgoing-mail.entity.ts';
import { PasskeyEntity } from './passkey.entity.ts';
import { RecoveryCodeEntity } from './recovery-code.entity.ts';
import { RefreshTokenFamilyEntity } from './refresh-token-family.entity.ts';
import { RevocationEntity } from './revocation.entity.ts';
import { SecurityEventEntity } from './security-event.entity.ts';
import { SecurityEventCheckpointEntity } from './security-event-checkpoint.entity.ts';
import { SecurityEventQueueEntity } from './security-event-queue.entity.ts';
import { SecurityEventSealEntity } from './security-event-seal.entity.ts';
import { SessionEntity } from './session.entity.ts';
import { SignInThrottleEntity } from './sign-in-throttle.entity.ts';
import { SigningKeyEntity } from './signing-key.entity.ts';
import { TotpAuthenticatorEntity } from './totp-authenticator.entity.ts';
import { TrustedDeviceEntity } from './trusted-device.entity.ts';
import { UserEntity } from './user.entity.ts';

/** The PostgreSQL schema that holds everything of identity. */
export const SCHEMA = 'user_service';

export interface DatabaseSettings {
  /** `postgresql://user:password@host:port/database?sslmode=...`, as libpq reads it. */
  readonly databaseUrl: string;
  /** Connections that are kept open. Default: 20. */
  readonly poolSize?: number;
  /** Further connections that a rush may open; closed again when idle. Default: 10. */
  readonly maxOverflow?: number;
  /** Age at which a connection is replaced, in seconds. Default: 3600. */
  readonly recycleSeconds?: number;
  /** Time to wait for a connection, new or from the pool, in milliseconds. Default: 2000. */
  readonly connectTimeoutMs?: number;
  /** Time a statement may take, in milliseconds; 0 for any time. Default: 5000. */
  readonly statementTimeoutMs?: number;
  /** Time a statement may wait for a lock, in milliseconds. Default: 2000. */
  readonly lockTimeoutMs?: number;
  /** What the server shows the connections as. Default: `optix-identity`. */
  readonly applicationName?: string;
  /** Told of connections that broke while nobody used them. */
  readonly onConnectionLost?: (error: Error) => void;
  /** Given the pool when it is made, with the first query: for its figures. */
  readonly onPoolCreated?: (pool: Pool) => void;
}

/** How long a connection above `poolSize` stays open without work. */
const OVERFLOW_IDLE_MS = 30_000;
/** What the client waits longer than the server's own time-out, before it gives up on the connection. */
const ANSWER_SLACK_MS = 500;

/** Options for `MikroORM.init`. Opens no connection: a database that is away does not keep the service from starting. */
export function ormOptions(settings: DatabaseSettings): Options {
  const poolSize = settings.poolSize ?? 20;
  const statementTimeoutMs = settings.statementTimeoutMs ?? 5000;
  return defineConfig({
    driver: BoundParametersDriver,
    clientUrl: settings.databaseUrl,
    schema: SCHEMA,
    entities: [
      UserEntity,
      SessionEntity,
      SecurityEventEntity,
      TrustedDeviceEntity,
      RefreshTokenFamilyEntity,
      SigningKeyEntity,
      OneTimeTokenEntity,
      OutgoingMailEntity,
      RevocationEntity,
      AnsweredRequestEntity,
      SignInThrottleEntity,
      CallerKeyEntity,
      TotpAuthenticatorEntity,
      PasskeyEntity,
      RecoveryCodeEntity,
      AuthChallengeEntity,
      SecurityEventQueueEntity,
      SecurityEventSealEntity,
      SecurityEventCheckpointEntity,
      MaintenanceTaskEntity,
      ArchivedUserEntity,
    ],
    // Never on: with it, statements go to the log.
    debug: false,
    ensureDatabase: false,
    metadataCache: { enabled: false },
    pool: {
      min: poolSize,
      max: poolSize + (settings.maxOverflow ?? 10),
      idleTimeoutMillis: OVERFLOW_IDLE_MS,
    },
    driverOptions: {
      // pg reads the URL itself, because MikroORM drops its parameters, sslmode among them.
      connectionString: settings.databaseUrl,
      application_name: settings.applicationName ?? 'optix-identity',
      connectionTimeoutMillis: settings.connectTimeoutMs ?? 2000,
      statement_timeout: statementTimeoutMs,
      lock_timeout: settings.lockTimeoutMs ?? 2000,
      idle_in_transaction_session_timeout: 2 * statementTimeoutMs,
      query_timeout: statementTimeoutMs === 0 ? 0 : statementTimeoutMs + ANSWER_SLACK_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      maxLifetimeSeconds: settings.recycleSeconds ?? 3600,
      onPoolCreated: (pool: Pool) => {
        superviseConnections(pool, settings.onConnectionLost);
        settings.onPoolCreated?.(pool);
      },
    },
    // Functions are made by migrations and have no entity.
    schemaGenerator: { ignoreRoutines: true },
    extensions: [Migrator],
    migrations: {
      path: fileURLToPath(new URL('../../../migrations', import.meta.url)),
      pathTs: fileURLToPath(new URL('../../../migrations', import.meta.url)),
      snapshotName: '.snapshot',
      // The snapshot changes with `migration:create` only: running migrations writes no files.
      snapshotOnMigrate: false,
      silent: true,
    },
  });
}
