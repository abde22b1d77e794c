import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestRateLimit } from '../../../testing/services.ts';
import type { HttpFacts } from '../../http/http-facts.ts';
import { createLimiter } from '../create-limiter.ts';
import type { Limiter } from '../limiter.ts';
import { byUser } from './keys.ts';
import { type Denial, limitRequest } from './limit-request.ts';

const RULES = `rules:
  - name: api_default
    limits: [{ limit: 1, window: 1m }]
    on_store_failure: FAIL_CLOSED
`;

const facts: HttpFacts = { method: 'GET', path: '/', remoteAddress: undefined, header: () => undefined };
const key = byUser(() => 'ada');

const resources = new AsyncDisposableStack();
/** Asks a service whose Redis is away. */
let limiter: Limiter;
beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'limit-request-'));
  resources.defer(() => rm(directory, { recursive: true }));
  const rules = join(directory, 'rules.yaml');
  await writeFile(rules, RULES);
  const env = { RATELIMIT_RULES_FILE: rules, REDIS_URL: 'redis://127.0.0.1:1' };
  const service = resources.use(await startTestRateLimit(env));
  limiter = resources.use(createLimiter({ address: service.grpcAddress, timeoutMs: 10_000 }));
});
afterAll(() => resources.disposeAsync());

it('answers 503 where the limiter denies because its store is away, and tells nothing of a quota', async () => {
  const denials: Denial[] = [];
  const limit = limitRequest({
    ...{ limiter, endpoint: 'orders', key },
    onDenied: (_, denial) => {
      denials.push(denial);
      return denial.answer;
    },
  });
  const outcome = await limit(undefined, facts);
  if (outcome.pass) throw new Error('a request has passed that nobody counted');
  const { status, headers, body } = outcome.answer;
  expect(status).toBe(503);
  expect(Object.keys(headers).sort()).toEqual(['cache-control', 'content-type', 'retry-after']);
  expect(JSON.parse(body)).toMatchObject({ status: 503, retry_after: Number(headers['retry-after']) });
  expect(denials).toMatchObject([{ why: 'unavailable', decision: { rule: 'api_default' } }]);
  expect(denials[0]?.retryAfterMs).toBeGreaterThanOrEqual(1000);
});

it('takes 15 further keys, and not one more', () => {
  const also = Array.from({ length: 15 }, () => ({ key }));
  expect(limitRequest({ limiter, endpoint: 'orders', key, also })).toBeTypeOf('function');
  expect(() => limitRequest({ limiter, endpoint: 'orders', key, also: [...also, { key }] })).toThrow(
    new TypeError('also: at most 15 further keys'),
  );
});

it('fails with what a function among the options throws, and asks nobody', async () => {
  const broken = new Error('no user');
  const asked = { check: () => Promise.reject(new Error('asked')), refund: limiter.refund.bind(limiter) };
  const throwing = () => {
    throw broken;
  };
  const limit = limitRequest({ limiter: asked, endpoint: 'orders', key: throwing });
  await expect(limit(undefined, facts)).rejects.toBe(broken);
});
