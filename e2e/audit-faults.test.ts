import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { migrateDatabase } from '../stack/migrate-database.ts';
import { type PostgresServer, startPostgres } from '../stack/postgres-server.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { PostgresProxy } from '../testing/postgres-proxy.ts';
import { startTestIdentity, type TestService } from '../testing/services.ts';
import { stackDirectory } from '../testing/stack-directory.ts';
import { expectWholeLog } from './audit-log-check.ts';
import { startKillableIdentity } from './audit-process.ts';
import { AuditScenario, SCENARIO_SETTINGS } from './audit-scenario.ts';
import { ChainWatch } from './chain-watch.ts';
import { IdentityReplicas } from './identity-replicas.ts';
import { identityRpcs } from './identity-rpcs.ts';

/** Which statements are struck; printed with the test's name. */
const SEED = Number(process.env['FAULT_SEED'] ?? Date.now() % 100_000);
/** For how long processes are killed, in seconds. */
const SECONDS = Number(process.env['FAULT_SECONDS'] ?? 15);
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;
const LANES = 2;
/** Of each process at a time: one kill cuts off each of them somewhere else. */
const USERS = 3;

describe(`identity, killed (kill -9) between two statements (FAULT_SEED=${SEED})`, () => {
  const directory = stackDirectory();
  const mails = join(directory.path, 'mails');
  let database: TestDatabase;
  let survivor: TestService;
  let chain: ChainWatch;
  beforeAll(async () => {
    mkdirSync(mails);
    database = await createTestDatabase();
    survivor = await startTestIdentity({ ...SCENARIO_SETTINGS, DATABASE_URL: database.url });
    chain = new ChainWatch(identityRpcs(survivor.transport('gRPC')).events);
  });
  afterAll(async () => {
    await survivor?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  /**
   * Has users of a process go through the scenario, and kills it at a statement.
   *
   * @param statement null: it is not killed
   * @returns how many statements there were.
   */
  async function run(statement: number | null, when: 'before' | 'after'): Promise<number> {
    await using proxy = await PostgresProxy.start(database.url);
    await using identity = await startKillableIdentity({
      ...{ ...SCENARIO_SETTINGS, DATABASE_URL: proxy.url, MAIL_URL: pathToFileURL(mails).href },
      // Half of what a start costs is compiling: the first process, which ends in peace, leaves that to the others.
      NODE_COMPILE_CACHE: join(directory.path, 'compiled'),
    });
    const scenarios = Array.from(
      { length: USERS },
      () => new AuditScenario(identity.rpcs, database.url, mails),
    );
    let isKilled = false;
    const kill = () => {
      isKilled = true;
      identity.kill();
      for (const scenario of scenarios) scenario.abandon();
    };
    proxy.stopAt({ statement: statement ?? Number.POSITIVE_INFINITY, when, onReached: kill });
    const runs = scenarios.map(async (scenario) => {
      const failed = await scenario.run().catch((error: unknown) => error);
      // What fails before it is killed is a failure of the test.
      if (failed !== undefined && !isKilled) throw failed;
    });
    await Promise.all(runs);
    const { statements } = proxy;
    if (!isKilled) identity.stop();
    await identity.ended;
    await proxy.drained();
    const where = `killed ${when} statement ${statement ?? 'none'}`;
    for (const scenario of scenarios) {
      await expectWholeLog(database.url, scenario, `${where}, in ${scenario.underWay?.rpc ?? 'nothing'}`);
    }
    await chain.expectIntact(where);
    return statements;
  }

  it('has an event for every change it committed and a change for every event, in a chain that verifies', async () => {
    const statements = await run(null, 'before');
    expect(statements).toBeGreaterThan(300);
    let until = performance.now() + SECONDS * 1000;
    let kills = 0;
    const lane = async () => {
      while (performance.now() < until) {
        kills += 1;
        // Evenly spread, however many there is time for (Weyl's equidistribution).
        const place = (SEED + kills * GOLDEN_RATIO) % 1;
        await run(1 + Math.floor(place * statements), kills % 2 === 0 ? 'before' : 'after');
      }
    };
    const endAll = () => {
      until = 0;
    };
    const lanes = Array.from({ length: LANES }, () => lane().finally(endAll));
    await Promise.allSettled(lanes);
    await Promise.all(lanes);
    expect(kills).toBeGreaterThan(2);
    await chain.expectSealedWhole(database.url);
  }, 240_000);
});

describe('PostgreSQL, killed (kill -9) under changes of every kind', () => {
  const directory = stackDirectory();
  const mails = join(directory.path, 'mails');
  const dataDir = join(directory.path, 'postgres');
  let postgres: PostgresServer;
  let identity: IdentityReplicas;
  beforeAll(async () => {
    mkdirSync(mails);
    postgres = await startPostgres({ dataDir });
    await migrateDatabase(postgres.url);
    identity = await IdentityReplicas.start({
      ...SCENARIO_SETTINGS,
      DATABASE_URL: postgres.url,
      MAIL_URL: pathToFileURL(mails).href,
      DATABASE_CONNECT_TIMEOUT_MS: '500',
      DATABASE_STATEMENT_TIMEOUT_MS: '2000',
    });
  });
  afterAll(async () => {
    await identity?.[Symbol.asyncDispose]();
    await postgres?.stop();
    directory[Symbol.dispose]();
  });

  it('keeps every acknowledged change with its event, and the chain that it had', async () => {
    const chain = new ChainWatch(identity.others.events);
    for (let crash = 1; crash <= 3; crash += 1) {
      const scenarios = [identity.rpcs, identity.others, identity.rpcs, identity.others].map(
        (rpcs) => new AuditScenario(rpcs, postgres.url, mails),
      );
      let isDown = false;
      const runs = scenarios.map(async (scenario) => {
        const failed = await scenario.run().catch((error: unknown) => error);
        if (failed !== undefined && !isDown) throw failed;
      });
      const under = Promise.all(runs);
      // Each time somewhere else in the scenario.
      const many = () => expect(scenarios[0]?.done.length).toBeGreaterThan(12 * crash);
      await Promise.race([vi.waitFor(many, { timeout: 30_000, interval: 5 }), under]);
      await chain.noteHead();
      isDown = true;
      postgres.kill('SIGKILL');
      for (const scenario of scenarios) scenario.abandon();
      await under;
      postgres = await startPostgres({ dataDir, port: postgres.port });
      const isUp = async () => expect((await identity.two.get('/health/database')).status).toBe(200);
      await vi.waitFor(isUp, { timeout: 15_000 });
      for (const scenario of scenarios) {
        await expectWholeLog(postgres.url, scenario, `crash ${crash}, in ${scenario.underWay?.rpc}`);
      }
      await chain.expectIntact(`crash ${crash}`);
    }
    await chain.expectSealedWhole(postgres.url);
    const [left] = await withTestClient(postgres.url, async (client) => {
      const text = 'select count(*)::int as users from user_service.users';
      return (await client.query<{ users: number }>(text)).rows;
    });
    expect(left?.users).toBeGreaterThan(0);
  }, 180_000);
});
