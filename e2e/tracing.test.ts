import { execFile } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { Code, createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RateLimitAdminService } from '../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { failure } from '../testing/failure.ts';
import { type CollectedSpan, OtlpCollector } from '../testing/otlp-collector.ts';
import { testRedisUrl } from '../testing/redis.ts';
import {
  identityClients,
  rateLimitClient,
  startTestIdentity,
  startTestRateLimit,
  type TestService,
  TRANSPORTS,
} from '../testing/services.ts';
import { traceTree } from '../testing/trace-tree.ts';
import { blocksOf } from './readme/blocks.ts';
import { standIn } from './readme/guide.ts';
import { findSecrets } from './secret-search.ts';

const run = promisify(execFile);

const random = (name: string) => `${name}_${randomBytes(12).toString('base64url')}`;
const COLLECTOR_KEY = random('collector');
const API_KEY = random('key');
const PASSWORD = random('password');
const PARENT = 'b7ad6b7169203331';
const CHECK = 'optix.ratelimit.v1.RateLimitService/CheckLimit';
const AUTHENTICATE = 'optix.identity.v1.AuthenticationService/Authenticate';

const headersOf = (traceId: string, flags = '01') => ({
  authorization: `Bearer ${API_KEY}`,
  traceparent: `00-${traceId}-${PARENT}-${flags}`,
});
const newTrace = () => randomBytes(16).toString('hex');
let nextAddress = 0;
/** A device at an address that nobody called from yet. */
const newDevice = () => {
  nextAddress += 1;
  return { ipAddress: `198.51.100.${nextAddress}` };
};

let collector: OtlpCollector;
let database: TestDatabase;
let limiter: TestService;
let identity: TestService;
let settings: Record<string, string>;
const resources = new AsyncDisposableStack();
beforeAll(async () => {
  collector = resources.use(await OtlpCollector.start());
  database = resources.use(await createTestDatabase());
  settings = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_EXPORTER_OTLP_HEADERS: `x-collector-key=${COLLECTOR_KEY}`,
    RATELIMIT_TIMEOUT_MS: '2000',
    ENVIRONMENT: 'staging',
  };
  const keys = `gateway=${createHash('sha256').update(API_KEY).digest('hex')};*`;
  limiter = resources.use(
    await startTestRateLimit({ ...settings, REDIS_URL: testRedisUrl(), RATELIMIT_CALLER_KEYS: keys }),
  );
  identity = resources.use(
    await startTestIdentity({
      ...settings,
      DATABASE_URL: database.url,
      RATELIMIT_ADDRESS: limiter.grpcAddress,
      RATELIMIT_API_KEY: API_KEY,
      IDENTITY_CALLER_KEYS: keys,
    }),
  );
});
afterAll(async () => await resources.disposeAsync());

/** Somebody new: an account may sign in five times a minute. */
async function newAccount() {
  const { auth } = identityClients(identity, 'gRPC');
  const account = { email: `${randomUUID()}@planted.example`, password: PASSWORD, device: newDevice() };
  await auth.register(account, { headers: headersOf(newTrace()) });
  return account;
}

async function signIn(headers: Record<string, string>, transport: (typeof TRANSPORTS)[number] = 'gRPC') {
  return await identityClients(identity, transport).auth.authenticate(await newAccount(), { headers });
}

/** The spans of a trace, once that of the call which began it is there, and what the other service sent of it too. */
async function collected(traceId: string, complete: (spans: readonly CollectedSpan[]) => boolean) {
  return await vi.waitFor(() => {
    const spans = collector.trace(traceId);
    if (!complete(spans)) throw new Error(`the collector has of this trace:\n${traceTree(spans)}`);
    return spans;
  }, 8000);
}

const named = (spans: readonly CollectedSpan[], name: string, kind: CollectedSpan['kind']) =>
  spans.filter((span) => span.name === name && span.kind === kind);
const has = (name: string, kind: CollectedSpan['kind']) => (spans: readonly CollectedSpan[]) =>
  named(spans, name, kind).length > 0;
const isOf = (system: string) => (span: CollectedSpan) => span.attributes['db.system.name'] === system;

describe('a trace', () => {
  it.each(TRANSPORTS)(
    'goes from a caller over %s through identity, SQL, ratelimit and Lua',
    async (transport) => {
      const traceId = newTrace();
      await signIn(headersOf(traceId), transport);
      const spans = await collected(
        traceId,
        (all) =>
          has(AUTHENTICATE, 'server')(all) &&
          named(all, CHECK, 'server').length === named(all, CHECK, 'client').length,
      );
      const tree = traceTree(spans);
      const [call, ...others] = named(spans, AUTHENTICATE, 'server');
      expect(others, tree).toEqual([]);
      expect(call).toMatchObject({ parentSpanId: PARENT, isError: false });
      expect(call?.resource).toMatchObject({
        'service.name': 'optix-identity',
        'deployment.environment.name': 'staging',
        'process.pid': String(process.pid),
      });

      const statements = spans.filter(isOf('postgresql'));
      expect(statements.length, tree).toBeGreaterThan(2);
      for (const statement of statements) {
        expect(statement, tree).toMatchObject({ kind: 'client', parentSpanId: call?.spanId });
      }

      const asked = named(spans, CHECK, 'client');
      const answered = named(spans, CHECK, 'server');
      expect(asked.length, tree).toBeGreaterThan(0);
      for (const span of asked) {
        expect(span).toMatchObject({ parentSpanId: call?.spanId });
        expect(span.resource['service.name']).toBe('optix-identity');
      }
      expect(answered.map(({ parentSpanId }) => parentSpanId).toSorted(), tree).toEqual(
        asked.map(({ spanId }) => spanId).toSorted(),
      );
      const scripts = spans.filter(isOf('redis'));
      expect(scripts.map(({ parentSpanId }) => parentSpanId).toSorted(), tree).toEqual(
        answered.map(({ spanId }) => spanId).toSorted(),
      );
      for (const span of [...answered, ...scripts]) {
        expect(span.resource['service.name']).toBe('optix-ratelimit');
      }

      // Nothing of it began before, or lasted longer than, what it is part of. Two processes' clocks would differ.
      const byId = new Map(spans.map((span) => [span.spanId, span]));
      for (const { parentSpanId, startMicros, durationMicros } of spans) {
        const parent = byId.get(parentSpanId ?? '');
        if (parent === undefined) continue;
        expect(startMicros + 2000, tree).toBeGreaterThan(parent.startMicros);
        expect(startMicros + durationMicros, tree).toBeLessThan(
          parent.startMicros + parent.durationMicros + 2000,
        );
      }
    },
  );

  it('that its caller does not record is recorded by neither service', async () => {
    const [unrecorded, recorded] = [newTrace(), newTrace()];
    await signIn(headersOf(unrecorded, '00'));
    await signIn(headersOf(recorded));
    // What ended later is there, and what ended before it would be.
    await collected(recorded, (spans) => has(AUTHENTICATE, 'server')(spans) && spans.some(isOf('redis')));
    expect(traceTree(collector.trace(unrecorded))).toBe('');
  });

  it('whose traceparent is not valid is left, and another begins', async () => {
    const id = randomUUID();
    const forged = newTrace().toUpperCase();
    const headers = { ...headersOf(forged), 'x-request-id': id };
    const known = new Set(collector.spans.map(({ spanId }) => spanId));
    await rateLimitClient(limiter, 'gRPC').checkLimit({ endpoint: 'orders', identifier: id }, { headers });
    const span = await vi.waitFor(() => {
      const found = named(collector.spans, CHECK, 'server').find(
        ({ spanId, parentSpanId }) => !known.has(spanId) && parentSpanId === undefined,
      );
      if (found === undefined) throw new Error('nothing came');
      return found;
    }, 5000);
    expect(span.traceId).not.toBe(forged.toLowerCase());
  });

  it('passes its state on, and one that is too long does no harm', async () => {
    const call = async (tracestate: string) => {
      const traceId = newTrace();
      await signIn({ ...headersOf(traceId), tracestate });
      return await collected(traceId, (all) => has(AUTHENTICATE, 'server')(all) && has(CHECK, 'server')(all));
    };
    for (const span of await call('vendor=opaque,other=1')) {
      expect(span.traceState).toBe('vendor=opaque,other=1');
    }
    for (const span of await call(`vendor=${'x'.repeat(7000)}`)) {
      expect((span.traceState ?? '').length).toBeLessThanOrEqual(512);
    }
  });

  it('of a stream has its checks within', async () => {
    const traceId = newTrace();
    const { streamCheckLimits } = rateLimitClient(limiter, 'gRPC');
    const checks = (async function* () {
      for (let sent = 0; sent < 3; sent += 1) {
        yield { items: [{ id: sent, check: { endpoint: 'orders', identifier: `user:${sent}` } }] };
      }
    })();
    await Array.fromAsync(streamCheckLimits(checks, { headers: headersOf(traceId) }));
    const name = 'optix.ratelimit.v1.RateLimitService/StreamCheckLimits';
    const spans = await collected(traceId, has(name, 'server'));
    const [call] = named(spans, name, 'server');
    expect(call?.attributes['rpc.status_code']).toBe('OK');
    const scripts = spans.filter(isOf('redis'));
    expect(scripts.length, traceTree(spans)).toBeGreaterThan(0);
    for (const script of scripts) expect(script.parentSpanId).toBe(call?.spanId);
  });

  it('has the end of a stream that its caller left', async () => {
    const traceId = newTrace();
    const left = new AbortController();
    const { watchDecisions } = createClient(RateLimitAdminService, limiter.transport('gRPC'));
    const watching = Array.fromAsync(
      watchDecisions({}, { headers: headersOf(traceId), signal: left.signal }),
    );
    setTimeout(() => left.abort(), 100);
    expect((await failure(watching)).code).toBe(Code.Canceled);
    const name = 'optix.ratelimit.v1.RateLimitAdminService/WatchDecisions';
    const [call] = named(await collected(traceId, has(name, 'server')), name, 'server');
    expect(call?.attributes['rpc.status_code']).toBe('CANCELED');
    expect(call?.isError).toBe(false);
  });

  it('tells refusals from failures', async () => {
    const traceId = newTrace();
    const { auth } = identityClients(identity, 'gRPC');
    const wrong = { ...(await newAccount()), password: random('wrong') };
    const error = await failure(auth.authenticate(wrong, { headers: headersOf(traceId) }));
    expect(error.code).toBe(Code.Unauthenticated);
    const [call] = named(await collected(traceId, has(AUTHENTICATE, 'server')), AUTHENTICATE, 'server');
    expect(call).toMatchObject({ isError: false, attributes: { 'rpc.status_code': 'UNAUTHENTICATED' } });
  });

  it('shows a rate limiter that is away', async () => {
    await using alone = await startTestIdentity({
      ...settings,
      DATABASE_URL: database.url,
      RATELIMIT_ADDRESS: '127.0.0.1:1',
    });
    const traceId = newTrace();
    const { auth } = identityClients(alone, 'gRPC');
    const error = await failure(auth.authenticate(await newAccount(), { headers: headersOf(traceId) }));
    expect(error.code).toBe(Code.Unavailable);
    const spans = await collected(traceId, has(AUTHENTICATE, 'server'));
    for (const [name, kind] of [
      [AUTHENTICATE, 'server'],
      [CHECK, 'client'],
    ] as const) {
      const [span] = named(spans, name, kind);
      const failed = { 'rpc.status_code': 'UNAVAILABLE', 'error.type': 'UNAVAILABLE' };
      expect(span, traceTree(spans)).toMatchObject({ isError: true, attributes: failed });
    }
  });

  it('has what a gateway asks by forward authentication', async () => {
    const traceId = newTrace();
    const headers = { ...headersOf(traceId), 'x-original-url': 'http://shop.example/?token=planted-query' };
    await fetch(`${limiter.httpUrl}/forward-auth/nginx?endpoint=orders`, { headers });
    const name = 'GET /forward-auth/nginx';
    const [call] = named(await collected(traceId, has(name, 'server')), name, 'server');
    expect(call).toMatchObject({
      parentSpanId: PARENT,
      attributes: { 'http.request.method': 'GET', 'http.route': '/forward-auth/nginx' },
    });
    expect(call?.attributes['http.response.status_code']).toMatch(/^\d{3}$/);
  });
});

it('spans hold nothing that is secret, and nobody’s address', async () => {
  const traceId = newTrace();
  const { tokens, users } = identityClients(identity, 'HTTP');
  const headers = headersOf(traceId);
  const { accessToken, refreshToken } = await signIn(headers);
  await tokens.introspectToken({ token: accessToken }, { headers });
  await users.listUsers({}, { headers });
  const introspected = has('optix.identity.v1.TokenService/IntrospectToken', 'server');
  await collected(traceId, introspected);
  const secrets = {
    ...{ password: PASSWORD, 'API key': API_KEY, email: '@planted.example' },
    ...{ 'access token': accessToken, 'refresh token': refreshToken },
    'collector key': COLLECTOR_KEY,
    'database password': decodeURIComponent(new URL(database.url).password),
    query: 'planted-query',
    address: '198.51.100.',
  };
  const places = collector.requests.map(({ body }, index) => ({ name: `request ${index}`, text: body }));
  expect(places.length).toBeGreaterThan(0);
  expect(findSecrets(secrets, places)).toEqual([]);
  const logs = [identity, limiter].map(({ log }, index) => ({
    name: `log ${index}`,
    text: JSON.stringify(log),
  }));
  expect(findSecrets({ 'collector key': COLLECTOR_KEY }, logs)).toEqual([]);
});

describe.each([
  [
    'is away',
    'ECONNREFUSED',
    async () => {
      await using gone = await OtlpCollector.start();
      return gone.endpoint;
    },
  ],
  [
    'hangs',
    'it does not answer in time',
    async () => {
      collector.behaviour = 'hang';
      return collector.endpoint;
    },
  ],
])('while the collector %s', (_name, reason, endpoint) => {
  it('calls are answered as ever, the log says it once, and the end waits two seconds at most', async () => {
    const service = await startTestRateLimit({ ...settings, OTEL_EXPORTER_OTLP_ENDPOINT: await endpoint() });
    const { checkLimit } = rateLimitClient(service, 'gRPC');
    const taken: number[] = [];
    for (let asked = 0; asked < 700; asked += 1) {
      const startedAt = performance.now();
      const check = { endpoint: 'orders', identifier: `user:${asked}` };
      expect((await checkLimit(check, { headers: headersOf(newTrace()) })).allowed).toBe(true);
      taken.push(performance.now() - startedAt);
    }
    const median = taken.toSorted((one, other) => one - other)[taken.length / 2];
    expect(median).toBeLessThan(20);
    const startedAt = performance.now();
    await service[Symbol.asyncDispose]();
    collector.behaviour = 'take';
    // The ports take up to half a second of their own.
    expect(performance.now() - startedAt).toBeLessThan(3500);
    const lines = service.log.filter(({ msg }) => msg === 'the collector does not take spans');
    expect(lines).toMatchObject([{ level: 40, endpoint: expect.any(String), reason }]);
    expect(JSON.stringify(service.log)).not.toContain(COLLECTOR_KEY);
  });
});

it('spans that the collector refused are counted', async () => {
  collector.behaviour = { status: 400 };
  await using service = await startTestRateLimit(settings);
  const scrape = async () => {
    const response = await fetch(`${service.httpUrl}/metrics`);
    const [, count] = /^optix_trace_spans_dropped_total (\d+)$/m.exec(await response.text()) ?? [];
    return Number(count);
  };
  expect(await scrape()).toBe(0);
  await rateLimitClient(service, 'gRPC').checkLimit({ endpoint: 'orders', identifier: 'user:1' });
  await vi.waitFor(async () => expect(await scrape()).toBe(1), 5000);
  collector.behaviour = 'take';
});

it('docs/tracing.md shows a call whose trace is found by the id that it names', async () => {
  await using service = await startTestRateLimit(settings);
  const page = readFileSync(new URL('../docs/tracing.md', import.meta.url), 'utf8');
  const [call] = blocksOf(page).filter(({ text }) => text.startsWith('curl '));
  const [, traceId = ''] = /traceparent: 00-([\da-f]{32})/.exec(call?.text ?? '') ?? [];
  const command = call?.text.replace('http://localhost:8082', service.httpUrl);
  const { stdout } = await run('bash', ['-c', `${standIn('curl')}\n${command}`]);
  expect(JSON.parse(stdout)).toMatchObject({ allowed: true });
  await collected(traceId, has(CHECK, 'server'));
});
