import { randomBytes } from 'node:crypto';
import { createClient } from '@connectrpc/connect';
import { type Ended, runOptix } from '../bin/testing-optix.ts';
import { RateLimitAdminService } from '../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { type RedisServer, startRedis } from '../stack/redis-server.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { startTestIdentity, startTestRateLimit, type TestService } from '../testing/services.ts';
import { type IdentityRpcs, identityRpcs } from './identity-rpcs.ts';

/** The encryption key of all stacks of a test file. */
export const ENCRYPTION_KEY = randomBytes(32).toString('base64');

/** A database and a Redis of one's own, and the services on them when they are started. */
export class BackupStack implements AsyncDisposable {
  readonly database: TestDatabase;
  readonly redis: RedisServer;
  #services = new AsyncDisposableStack();

  private constructor(database: TestDatabase, redis: RedisServer) {
    this.database = database;
    this.redis = redis;
  }

  /** @param migrated false: a database without anything, as a new server has it */
  static async start({ migrated = false } = {}): Promise<BackupStack> {
    return new BackupStack(await createTestDatabase({ migrated }), await startRedis());
  }

  get env(): Record<string, string> {
    return {
      DATABASE_URL: this.database.url,
      REDIS_URL: this.redis.url,
      IDENTITY_ENCRYPTION_KEY: ENCRYPTION_KEY,
    };
  }

  /** Starts identity beside what runs. */
  async identity(
    env: Record<string, string> = {},
  ): Promise<{ readonly rpcs: IdentityRpcs; readonly service: TestService }> {
    const service = this.#services.use(
      await startTestIdentity({ ...this.env, RATE_LIMIT_ENABLED: 'false', ...env }),
    );
    return { rpcs: identityRpcs(service.transport('gRPC')), service };
  }

  /** Starts ratelimit beside what runs. */
  async ratelimit(env: Record<string, string> = {}) {
    const service = this.#services.use(
      await startTestRateLimit({ REDIS_URL: this.redis.url, REDIS_TIMEOUT_MS: '1000', ...env }),
    );
    return { service, admin: createClient(RateLimitAdminService, service.transport('gRPC')) };
  }

  /** Ends the services. */
  async stop(): Promise<void> {
    await this.#services.disposeAsync();
    this.#services = new AsyncDisposableStack();
  }

  async optix(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
    return await runOptix(args, { ...this.env, ...env });
  }

  async rows(sql: string): Promise<Record<string, unknown>[]> {
    return await withTestClient(this.database.url, async (client) => (await client.query(sql)).rows);
  }

  /** Tables that have rows. */
  async filled(): Promise<string[]> {
    const tables = await this.rows(
      `select relname as name from pg_class where relnamespace = to_regnamespace('user_service')
         and relkind in ('r', 'p') and not relispartition and relname <> 'mikro_orm_migrations' order by 1`,
    );
    const names: string[] = [];
    for (const { name } of tables) {
      if ((await this.rows(`select from user_service.${name} limit 1`)).length > 0) names.push(String(name));
    }
    return names;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.redis[Symbol.asyncDispose]();
    await this.database[Symbol.asyncDispose]();
  }
}
