import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../testing/database.ts';
import { startTestIdentity, type TestService } from '../../../testing/services.ts';
import { TestProxy } from '../storage/testing-proxy.ts';
import { scrape } from './testing-scrape.ts';

const LAG = 'optix_identity_revocation_lag_seconds';
const FAILURES = 'optix_identity_revocation_read_failures_total';
/** Read from the database at a scrape. */
const STORED = [
  'optix_identity_mails_waiting',
  'optix_identity_mail_lag_seconds',
  'optix_audit_unsealed_events',
];

let database: TestDatabase;
let proxy: TestProxy;
let service: TestService;
beforeAll(async () => {
  database = await createTestDatabase();
  proxy = new TestProxy(database.url);
  await proxy.up();
  service = await startTestIdentity({
    DATABASE_URL: proxy.url,
    DATABASE_CONNECT_TIMEOUT_MS: '1500',
    DATABASE_STATEMENT_TIMEOUT_MS: '1500',
    RATE_LIMIT_ENABLED: 'false',
  });
  await isUpToDate();
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

/** Waits until this replica follows what is revoked, and tells everything. */
async function isUpToDate(): Promise<ReadonlyMap<string, number>> {
  return await vi.waitFor(
    async () => {
      const told = await scrape(service);
      expect(told.get(LAG)).toBeLessThan(0.6);
      for (const sample of STORED) expect(told.has(sample), sample).toBe(true);
      return told;
    },
    { timeout: 10_000 },
  );
}

test('cut off: the lag of revocations grows as time goes by, and is over when the database is back', async () => {
  const failuresBefore = (await isUpToDate()).get(FAILURES) ?? Number.NaN;
  await proxy.down();
  const from = performance.now();
  await sleep(1500);
  const told = await scrape(service);
  const elapsedSeconds = (performance.now() - from) / 1000;
  expect(told.get(LAG)).toBeGreaterThan(1.4);
  expect(told.get(LAG)).toBeLessThan(elapsedSeconds + 1);
  expect(told.get(FAILURES)).toBeGreaterThan(failuresBefore);
  for (const sample of STORED) expect(told.has(sample), sample).toBe(false);
  await proxy.up();
  const after = await isUpToDate();
  expect(after.get(FAILURES)).toBeGreaterThan(failuresBefore);
});

test('hanging: scrapes are answered within a second, with all that needs no database', async () => {
  await isUpToDate();
  proxy.silence();
  const timed = async () => {
    const from = performance.now();
    const told = await scrape(service);
    return { told, ms: performance.now() - from };
  };
  // At once, and again while the first reading still hangs.
  const scrapes = await Promise.all([timed(), timed(), timed()]);
  scrapes.push(await timed());
  for (const { told, ms } of scrapes) {
    expect(ms).toBeLessThan(1000);
    expect(told.has('process_cpu_seconds_total')).toBe(true);
    expect(told.get('optix_identity_hashing_running')).toBe(0);
    for (const sample of STORED) expect(told.has(sample), sample).toBe(false);
  }
  await proxy.restore();
  await isUpToDate();
  for (const what of ['mails', 'maintenance']) {
    const msg = `the metrics of ${what} could not be read`;
    expect(service.log).toContainEqual(expect.objectContaining({ level: 40, msg }));
  }
});
