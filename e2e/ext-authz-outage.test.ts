import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrateDatabase } from '../stack/migrate-database.ts';
import { type PostgresServer, startPostgres } from '../stack/postgres-server.ts';
import { startTestIdentity, type TestService } from '../testing/services.ts';
import { stackDirectory } from '../testing/stack-directory.ts';
import { bodyOf, deniedHeaders, Gateway, statusOf } from './ext-authz-gateway.ts';
import { FactorUser } from './factor-user.ts';
import { identityRpcs } from './identity-rpcs.ts';

describe('Envoy asks identity while the database is away', () => {
  let directory: ReturnType<typeof stackDirectory>;
  let postgres: PostgresServer;
  let service: TestService;
  beforeAll(async () => {
    directory = stackDirectory();
    postgres = await startPostgres({ dataDir: join(directory.path, 'postgres') });
    await migrateDatabase(postgres.url);
    service = await startTestIdentity({ DATABASE_URL: postgres.url, RATE_LIMIT_ENABLED: 'false' });
  });
  afterAll(async () => {
    await service[Symbol.asyncDispose]();
    await postgres.stop();
    directory[Symbol.dispose]();
  });

  it('whoever shows a token gets 503 at once; who needs none goes on; and it ends with the outage', async () => {
    using gateway = new Gateway(service.grpcAddress);
    const user = await FactorUser.register(identityRpcs(service.transport('gRPC')), postgres.url);
    const { accessToken: token } = await user.authenticate();
    expect(await gateway.status({ token })).toBe(200);
    postgres.kill('SIGKILL');
    // Server processes outlive the first of them by a moment, and answer.
    await expect.poll(async () => await gateway.status({ token }), { timeout: 5000, interval: 5 }).toBe(503);
    for (let turn = 0; turn < 50; turn += 1) {
      const since = performance.now();
      const answer = await gateway.check({ token });
      expect(performance.now() - since).toBeLessThan(1000);
      expect(statusOf(answer)).toBe(503);
      expect(deniedHeaders(answer)['retry-after']).toBe('1');
      expect(bodyOf(answer)).toMatchObject({ status: 503 });
    }
    expect(await gateway.status({ token, context: { token: 'optional' } })).toBe(503);
    expect(await gateway.status({ token, context: { token: 'none' } })).toBe(200);
    expect(await gateway.status({})).toBe(401);
    postgres = await startPostgres({ dataDir: join(directory.path, 'postgres'), port: postgres.port });
    await expect.poll(async () => await gateway.status({ token }), { timeout: 5000 }).toBe(200);
  });
});
