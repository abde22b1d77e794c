import { randomUUID } from 'node:crypto';
import { Code } from '@connectrpc/connect';
import { expect, test, vi } from 'vitest';
import { createTestDatabase } from '../../../testing/database.ts';
import { identityClients, startTestIdentity } from '../../../testing/services.ts';
import { scrape } from './testing-scrape.ts';

const PREFIX = 'optix_identity_hashing';

test('hashing is told while it is under load, to the last hash', async () => {
  await using database = await createTestDatabase();
  await using service = await startTestIdentity({
    DATABASE_URL: database.url,
    RATE_LIMIT_ENABLED: 'false',
    HASHING_CONCURRENCY: '1',
    HASHING_QUEUE: '3',
  });
  const { auth } = identityClients(service, 'gRPC');
  const codes: (Code | 'ok')[] = [];
  const end = new AbortController();
  const from = performance.now();
  const callers = Array.from({ length: 8 }, async () => {
    while (!end.signal.aborted) {
      const email = `${randomUUID()}@example.com`;
      await auth.register({ email, password: 'correct horse battery staple' }).then(
        () => codes.push('ok'),
        (error: { readonly code: Code }) => codes.push(error.code),
      );
    }
  });

  await vi.waitFor(
    async () => {
      const told = await scrape(service);
      expect(told.get(`${PREFIX}_running`)).toBe(1);
      expect(told.get(`${PREFIX}_waiting`)).toBe(3);
      expect(told.get(`${PREFIX}_refused_total`)).toBeGreaterThan(0);
    },
    { timeout: 10_000, interval: 5 },
  );
  end.abort();
  await Promise.all(callers);

  const told = await scrape(service);
  const hashed = codes.filter((code) => code === 'ok').length;
  const refused = codes.filter((code) => code === Code.ResourceExhausted).length;
  expect(hashed + refused).toBe(codes.length);
  expect(told.get(`${PREFIX}_running`)).toBe(0);
  expect(told.get(`${PREFIX}_waiting`)).toBe(0);
  expect(told.get(`${PREFIX}_queue_limit`)).toBe(3);
  expect(told.get(`${PREFIX}_refused_total`)).toBe(refused);
  expect(told.get(`${PREFIX}_duration_seconds_count`)).toBe(hashed);
  // One at a time: with their waits they would come to several times as much as the whole lasted.
  const sum = told.get(`${PREFIX}_duration_seconds_sum`);
  expect(sum).toBeGreaterThan(hashed * 0.005);
  expect(sum).toBeLessThan((performance.now() - from) / 1000);
});
