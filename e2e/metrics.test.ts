/** What docs/metrics.md says that the services tell, and what they tell under load: the same, both ways. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@connectrpc/connect';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import { AuthenticationService } from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { RateLimitService } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { keyDigest } from '../runtime/callers/caller-key.ts';
import { createTestDatabase } from '../testing/database.ts';
import { testRedisUrl } from '../testing/redis.ts';
import { startTestIdentity, startTestRateLimit, type TestService } from '../testing/services.ts';

/** How many callers sign in, and ask for checks, at once and again and again while the metrics are read. */
const CALLERS = 8;
const KEYS = `backend=${keyDigest('of-backend')},prometheus=${keyDigest('of-prometheus')};metrics.read`;

interface Documented {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
}

/** The rows of a section's table. */
function documentedUnder(heading: string): Documented[] {
  const page = readFileSync(new URL('../docs/metrics.md', import.meta.url), 'utf8');
  const section = page.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  const rows = section.matchAll(/^\| `(optix_\w+)` \| (\w+) \| ([^|]*)\|/gm);
  return [...rows].map(([, name = '', type = '', labels = '']) => ({
    name,
    type,
    labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label ?? '').sort(),
  }));
}

/** What a scrape holds: by name the type, and the labels that its samples have. */
class Scrape {
  readonly text: string;
  readonly types: ReadonlyMap<string, string>;

  constructor(text: string) {
    this.text = text;
    const types = text.matchAll(/^# TYPE (\w+) (\w+)$/gm);
    this.types = new Map([...types].map(([, name = '', type = '']) => [name, type]));
  }

  /** Undefined where there is no sample. */
  labelsOf(name: string): readonly string[] | undefined {
    const samples = this.text.matchAll(
      new RegExp(`^${name}(?:_bucket|_sum|_count)?(?:\\{(.*)\\})? \\S+$`, 'gm'),
    );
    let labels: string[] | undefined;
    for (const [, inner = ''] of samples) {
      const found = [...inner.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)].map(([, label]) => label ?? '');
      labels = [...new Set([...(labels ?? []), ...found])].filter((label) => label !== 'le').sort();
    }
    return labels;
  }
}

async function scrape(service: TestService): Promise<Scrape> {
  const response = await fetch(`${service.httpUrl}/metrics`, {
    headers: { authorization: 'Bearer of-prometheus' },
  });
  expect(response.status).toBe(200);
  return new Scrape(await response.text());
}

let identityTells: Scrape;
let ratelimitTells: Scrape;
beforeAll(async () => {
  await using database = await createTestDatabase();
  const redis = testRedisUrl();
  const common = { REDIS_URL: redis };
  await using ratelimit = await startTestRateLimit({ ...common, RATELIMIT_CALLER_KEYS: KEYS });
  await using identity = await startTestIdentity({
    ...common,
    DATABASE_URL: database.url,
    RATELIMIT_ADDRESS: ratelimit.grpcAddress,
    RATELIMIT_API_KEY: 'of-backend',
    IDENTITY_CALLER_KEYS: KEYS,
    DATABASE_SLOW_QUERY_MS: '1',
  });
  const apiKey = 'of-backend';
  using toRatelimit = createGrpcTransport({ address: ratelimit.grpcAddress, apiKey });
  using toIdentity = createGrpcTransport({ address: identity.grpcAddress, apiKey });
  const limiter = createClient(RateLimitService, toRatelimit);
  const auth = createClient(AuthenticationService, toIdentity);
  const end = new AbortController();
  const load = Array.from({ length: CALLERS }, async (_, caller) => {
    while (!end.signal.aborted) {
      // More than the rule allows in a minute.
      for (let check = 0; check < 10; check += 1) {
        await limiter.checkLimit({ endpoint: 'auth_login', identifier: `load:${caller}` });
      }
      const account = { email: `caller${caller}@example.com`, password: 'correct horse battery staple' };
      const device = { ipAddress: `203.0.113.${caller}` };
      await auth.authenticate({ ...account, device }).catch(() => undefined);
    }
  });
  try {
    // The maintenance's first runs tell of themselves as well.
    await vi.waitFor(
      async () => {
        const told = await scrape(identity);
        expect(told.labelsOf('optix_maintenance_task_last_success_timestamp_seconds')).toEqual(['task']);
        expect(told.labelsOf('nodejs_gc_duration_seconds')).toEqual(['kind']);
        expect((await scrape(ratelimit)).labelsOf('nodejs_gc_duration_seconds')).toEqual(['kind']);
      },
      { timeout: 15_000, interval: 200 },
    );
    await sleep(500);
    [identityTells, ratelimitTells] = await Promise.all([scrape(identity), scrape(ratelimit)]);
  } finally {
    end.abort();
    await Promise.all(load);
  }
}, 60_000);

/** Families that have a series for each thing that went wrong, and none before. */
const ONCE_WRONG = new Set([
  'optix_http_refused_requests_total',
  'optix_ratelimit_shadow_denials_total',
  'optix_ratelimit_fallback_changes_total',
  'optix_database_query_errors_total',
  'optix_database_slow_queries_total',
  'optix_database_connection_errors_total',
]);

const BOTH = documentedUnder('What both services tell');
const OF_RATELIMIT = documentedUnder('What ratelimit tells');
const OF_IDENTITY = documentedUnder('What identity tells');

describe.each([
  { service: 'identity', own: OF_IDENTITY, told: () => identityTells },
  { service: 'ratelimit', own: OF_RATELIMIT, told: () => ratelimitTells },
])('$service, read under load by a caller with metrics.read alone,', ({ own, told }) => {
  it.each([...BOTH, ...own])('tells $name, a $type by $labels', ({ name, type, labels }) => {
    expect(told().types.get(name)).toBe(type);
    const found = told().labelsOf(name);
    if (found !== undefined || !ONCE_WRONG.has(name)) expect(found).toEqual(labels);
  });

  it('tells nothing of its own that is not documented', () => {
    const documented = new Set([...BOTH, ...own].map(({ name }) => name));
    const others = [...told().types.keys()].filter(
      (name) => name.startsWith('optix_') && !documented.has(name),
    );
    expect(others).toEqual([]);
  });

  it('tells what Node does', () => {
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'process_open_fds',
      'nodejs_eventloop_lag_p99_seconds',
      'nodejs_heap_size_used_bytes',
      'nodejs_gc_duration_seconds',
    ]) {
      expect(told().labelsOf(name), name).toBeDefined();
    }
  });
});
