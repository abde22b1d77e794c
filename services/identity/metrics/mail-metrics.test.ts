import { createServer } from 'node:net';
import { Client } from 'pg';
import { expect, test, vi } from 'vitest';
import { createTestDatabase } from '../../../testing/database.ts';
import { identityClients, startTestIdentity } from '../../../testing/services.ts';
import { scrape } from './testing-scrape.ts';

const WAITING = 'optix_identity_mails_waiting';
const LAG = 'optix_identity_mail_lag_seconds';

/** An address where no mail is taken. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { readonly port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('a mail that can not be sent waits, however often it is tried', async () => {
  await using database = await createTestDatabase();
  await using service = await startTestIdentity({
    DATABASE_URL: database.url,
    RATE_LIMIT_ENABLED: 'false',
    MAIL_URL: `smtp://127.0.0.1:${await closedPort()}`,
    MAIL_FROM: 'optix@example.com',
  });
  const before = await scrape(service);
  expect([before.get(WAITING), before.get(LAG)]).toEqual([0, 0]);

  const { auth } = identityClients(service, 'gRPC');
  await auth.register({ email: 'ada@example.com', password: 'correct horse battery' });
  await vi.waitFor(() =>
    expect(service.log).toContainEqual(expect.objectContaining({ msg: 'a mail could not be sent yet' })),
  );
  const first = await scrape(service);
  expect(first.get(WAITING)).toBe(1);
  expect(first.get(LAG)).toBeGreaterThan(0);
  const second = await scrape(service);
  expect(second.get(LAG)).toBeGreaterThan(first.get(LAG) ?? Number.POSITIVE_INFINITY);
});

test('10,000 mails are counted at most; the oldest tells the lag, without a way to send too', async () => {
  await using database = await createTestDatabase();
  const sql = new Client(database.url);
  await sql.connect();
  await sql.query(
    `insert into user_service.outgoing_mails (id, user_id, payload, payload_key_id, created_at, next_attempt_at, expires_at)
     select uuidv7(make_interval(secs => -n)), uuidv7(), 'x', 'k1', now() - make_interval(secs => n),
       now() + interval '1 day', now() + interval '1 day'
     from generate_series(1, 10050) as n`,
  );
  await sql.end();
  await using service = await startTestIdentity({ DATABASE_URL: database.url, RATE_LIMIT_ENABLED: 'false' });
  const told = await scrape(service);
  expect(told.get(WAITING)).toBe(10_000);
  expect(told.get(LAG)).toBeGreaterThan(10_049);
  expect(told.get(LAG)).toBeLessThan(10_200);
});
