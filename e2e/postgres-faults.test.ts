import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrateDatabase } from '../stack/migrate-database.ts';
import { type PostgresServer, startPostgres } from '../stack/postgres-server.ts';
import { failure, reasonOf } from '../testing/failure.ts';
import { watchHealth } from '../testing/health-watch.ts';
import { identityClients, startTestIdentity, type TestService } from '../testing/services.ts';
import { stackDirectory } from '../testing/stack-directory.ts';

const PASSWORD = 'correct horse battery staple';
const CONNECT_TIMEOUT_MS = 500;
const STATEMENT_TIMEOUT_MS = 1000;

describe('identity, when PostgreSQL goes away under calls', () => {
  let directory: ReturnType<typeof stackDirectory>;
  let postgres: PostgresServer;
  let service: TestService;
  beforeAll(async () => {
    directory = stackDirectory();
    postgres = await startPostgres({ dataDir: join(directory.path, 'postgres') });
    service = await startTestIdentity({
      DATABASE_URL: postgres.url,
      DATABASE_CONNECT_TIMEOUT_MS: String(CONNECT_TIMEOUT_MS),
      DATABASE_STATEMENT_TIMEOUT_MS: String(STATEMENT_TIMEOUT_MS),
      RATE_LIMIT_ENABLED: 'false',
    });
  });
  afterAll(async () => {
    await service[Symbol.asyncDispose]();
    await postgres.stop();
    directory[Symbol.dispose]();
  });

  const clients = () => identityClients(service, 'gRPC');

  it('is NOT_SERVING on a schema that lacks migrations, and SERVING once they are there', async () => {
    using watch = watchHealth(service.grpcAddress, 'optix.identity.v1.IdentityService');
    await expect.poll(() => watch.last()).toBe('NOT_SERVING');
    await expect
      .poll(async () => JSON.stringify((await service.get('/health/database')).body))
      .toContain('migrations are pending');
    await migrateDatabase(postgres.url);
    await expect.poll(() => watch.last(), { timeout: 3000 }).toBe('SERVING');
    expect((await service.get('/health')).status).toBe(200);
  });

  it('answers fast and typed, tells health, recovers, and has kept every user it acknowledged', async () => {
    using component = watchHealth(service.grpcAddress, 'database');
    await expect.poll(() => component.last(), { timeout: 3000 }).toBe('SERVING');
    const acknowledged: string[] = [];
    const errors: { readonly error: ConnectError; readonly ms: number }[] = [];
    let stopped = false;
    let turn = 0;
    const loop = async () => {
      while (!stopped) {
        turn += 1;
        const email = `user-${turn}@example.com`;
        const started = performance.now();
        try {
          await clients().auth.register({ email, password: PASSWORD });
          acknowledged.push(email);
        } catch (error) {
          errors.push({ error: ConnectError.from(error), ms: performance.now() - started });
          await sleep(20);
        }
      }
    };
    const loops = Promise.all([loop(), loop(), loop()]);
    await expect.poll(() => acknowledged.length, { timeout: 10_000 }).toBeGreaterThan(10);

    const killedAt = performance.now();
    postgres.kill('SIGKILL');
    await expect.poll(() => component.last(), { timeout: 3000 }).toBe('NOT_SERVING');
    expect((component.seen.at(-1)?.atMs ?? 0) - killedAt).toBeLessThan(2000);
    expect((await service.get('/health/database')).status).toBe(503);
    const missing = await failure(clients().users.getUser({ id: '00000000-0000-7000-8000-000000000000' }));
    expect(missing.code).toBe(Code.Unavailable);
    expect(reasonOf(missing)).toBe('DATABASE_UNAVAILABLE');

    const before = acknowledged.length;
    const restartedAt = performance.now();
    postgres = await startPostgres({ dataDir: join(directory.path, 'postgres'), port: postgres.port });
    const backAt = performance.now();
    await expect.poll(() => component.last(), { timeout: 5000 }).toBe('SERVING');
    // It may have been there before the start had seen it.
    expect((component.seen.at(-1)?.atMs ?? 0) - backAt).toBeLessThan(2000);
    expect((component.seen.at(-1)?.atMs ?? 0) - restartedAt).toBeGreaterThan(0);
    await expect.poll(() => acknowledged.length, { timeout: 10_000 }).toBeGreaterThan(before + 5);
    stopped = true;
    await loops;

    const sql = new Client(postgres.url);
    await sql.connect();
    const { rows } = await sql.query<{ email: string; events: string }>(
      `select u.email, (select count(*) from user_service.security_events e where e.user_id = u.id) as events
       from user_service.users u`,
    );
    await sql.end();
    const kept = new Map(rows.map(({ email, events }) => [email, events]));
    expect(acknowledged.filter((email) => kept.get(email) !== '1')).toEqual([]);

    expect(errors.length).toBeGreaterThan(0);
    for (const { error, ms } of errors) {
      expect([Code.Unavailable, Code.AlreadyExists]).toContain(error.code);
      expect(ms).toBeLessThan(CONNECT_TIMEOUT_MS + 2000);
    }
  });

  /** Process ids of the server's ends of identity's connections. */
  const backends = async (): Promise<number[]> => {
    const sql = new Client(postgres.url);
    await sql.connect();
    const { rows } = await sql.query<{ pid: number }>(
      "select pid from pg_stat_activity where application_name like 'optix-identity%'",
    );
    await sql.end();
    return rows.map(({ pid }) => pid);
  };

  it('gives up on a PostgreSQL that hangs', async () => {
    using component = watchHealth(service.grpcAddress, 'database');
    await expect.poll(() => component.last(), { timeout: 3000 }).toBe('SERVING');
    // The postmaster takes new connections, its children answer on those that are open: all of them hang.
    const processes = [postgres.pid, ...(await backends())];
    for (const pid of processes) process.kill(pid, 'SIGSTOP');
    try {
      const stoppedAt = performance.now();
      await expect.poll(() => component.last(), { timeout: 4000 }).toBe('NOT_SERVING');
      expect((component.seen.at(-1)?.atMs ?? 0) - stoppedAt).toBeLessThan(2000);
      const started = performance.now();
      const error = await failure(clients().users.getUser({ id: '00000000-0000-7000-8000-000000000000' }));
      expect(reasonOf(error)).toBe('DATABASE_UNAVAILABLE');
      expect(performance.now() - started).toBeLessThan(STATEMENT_TIMEOUT_MS + 2000);
    } finally {
      for (const pid of processes) process.kill(pid, 'SIGCONT');
    }
    await expect.poll(() => component.last(), { timeout: 4000 }).toBe('SERVING');
  });
});

describe('identity, started before its PostgreSQL', () => {
  it('opens its ports and says NOT_SERVING with the reason, without the password', async () => {
    await using service = await startTestIdentity({
      DATABASE_URL: 'postgresql://someone:hidden-password@127.0.0.1:1/nowhere',
      DATABASE_CONNECT_TIMEOUT_MS: '200',
      RATE_LIMIT_ENABLED: 'false',
    });
    await expect
      .poll(async () => JSON.stringify((await service.get('/health/database')).body))
      .toContain('ECONNREFUSED');
    const health = await service.get('/health');
    expect(health.status).toBe(503);
    expect(JSON.stringify(health.body)).not.toContain('hidden-password');
    const error = await failure(
      identityClients(service, 'HTTP').auth.authenticate({ email: 'a@example.com', password: PASSWORD }),
    );
    expect(error.code).toBe(Code.Unavailable);
    expect(reasonOf(error)).toBe('DATABASE_UNAVAILABLE');
    expect(JSON.stringify(service.log)).not.toContain('hidden-password');
  });
});
