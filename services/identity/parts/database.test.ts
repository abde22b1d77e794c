import { expect, test } from 'vitest';
import { Metrics } from '../../../runtime/metrics/metrics.ts';
import { collectingLogger } from '../../../testing/collecting-logger.ts';
import { createTestDatabase } from '../../../testing/database.ts';
import { readConfig } from '../config.ts';
import { query } from '../storage/sql.ts';
import { openDatabase } from './database.ts';

test('every pool is observed as the settings say, each under its own label', async () => {
  await using database = await createTestDatabase();
  await using resources = new AsyncDisposableStack();
  const { logger, entries } = collectingLogger();
  const metrics = new Metrics();
  const config = readConfig({
    DATABASE_URL: database.url,
    // Not a replica: what matters here is that it is asked.
    DATABASE_REPLICA_URLS: database.url,
    DATABASE_POOL_SIZE: '3',
    DATABASE_SLOW_QUERY_MS: '50',
    DATABASE_SLOW_QUERY_PLANS: 'true',
  });
  const { orm, reads, slowQueries } = await openDatabase(config, metrics, resources, logger);
  expect(slowQueries).toMatchObject({ thresholdMs: 50, plans: true });

  await query(orm.em, 'select pg_sleep(0.06) from (values (1)) v left join user_service.users u on true', []);
  await reads.reader();

  const scrape = async () => await metrics.registry.metrics();
  expect(await scrape()).toContain('optix_database_slow_queries_total{family="select users"} 1\n');
  for (const pool of ['primary', 'replica_1']) {
    // The reader does not wait long for a replica, whose connection may come later.
    const waited = new RegExp(`optix_database_pool_wait_seconds_count\\{pool="${pool}"\\} [1-9]`);
    await expect.poll(scrape).toMatch(waited);
  }
  await expect.poll(() => entries.map(({ msg }) => msg)).toContain('the plan of a slow statement');
});
