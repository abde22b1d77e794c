/**
 * Plants secrets everywhere a caller or an operator can put one, on both services as processes that log all they can, breaks
 * each of their stores, and then searches every byte that they wrote, told and answered.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RateLimitService } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { TestSmtpServer } from '../services/identity/mail/testing-smtp-server.ts';
import { TestProxy } from '../services/identity/storage/testing-proxy.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { failure, reasonOf } from '../testing/failure.ts';
import { OtlpCollector } from '../testing/otlp-collector.ts';
import { testRedisUrl } from '../testing/redis.ts';
import { identityRpcs } from './identity-rpcs.ts';
import { type LoggedProcess, startLoggedProcess } from './logged-process.ts';
import { plantInAccounts, plantInLimits } from './planted-calls.ts';
import { digest, randomText, secret, secrets } from './planted-secrets.ts';
import { Planting } from './planting.ts';
import { PASSKEY_SETTINGS } from './second-factor-secrets.ts';
import { findSecrets, type Place } from './secret-search.ts';

const resources = new AsyncDisposableStack();
const planting = resources.use(new Planting());
let database: TestDatabase;
let proxy: TestProxy;
let redis: Redis;
let smtp: TestSmtpServer;
let collector: OtlpCollector;
let ratelimit: LoggedProcess;
let identity: LoggedProcess;
let mails: 'taken' | 'later' | 'never' = 'taken';

/** Limits that stop nobody but where that is wanted. */
const RULES = `rules:
  - { name: api_default, limits: [{ limit: 100000, window: 1h }] }
  - { name: pairs, limits: [{ limit: 2, window: 1h }] }
`;
const REDIS_USER = `planted-${randomBytes(6).toString('hex')}`;

beforeAll(async () => {
  database = resources.use(await createTestDatabase());
  secrets['database password'] = decodeURIComponent(new URL(database.url).password);
  proxy = resources.use(new TestProxy(database.url));
  await proxy.up();
  collector = resources.use(await OtlpCollector.start());
  smtp = resources.use(
    await TestSmtpServer.start(
      {
        data: () => (mails === 'later' ? 451 : undefined),
        recipient: () => (mails === 'never' ? 550 : undefined),
      },
      { onAuth: (_login, _session, done) => done(null, { user: 'optix' }) },
    ),
  );
  redis = new Redis(testRedisUrl(), { protocol: 2 });
  resources.defer(async () => {
    await redis.call('ACL', 'DELUSER', REDIS_USER);
    redis.disconnect();
  });
  await redis.call('ACL', 'SETUSER', REDIS_USER, 'on', `>${secret('Redis password')}`, '~*', '&*', '+@all');
  const redisUrl = new URL(testRedisUrl());
  redisUrl.username = REDIS_USER;
  redisUrl.password = secret('Redis password');
  const directory = mkdtempSync(join(tmpdir(), 'optix-log-secrets-'));
  resources.defer(() => rmSync(directory, { recursive: true }));
  const rules = join(directory, 'rules.yaml');
  writeFileSync(rules, RULES);
  const common = {
    LOG_LEVEL: 'trace',
    METRICS: 'open',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_EXPORTER_OTLP_HEADERS: `x-key=${secret('collector key')}`,
    REDIS_URL: redisUrl.href,
  };
  ratelimit = resources.use(
    await startLoggedProcess('ratelimit', {
      ...common,
      RATELIMIT_ACCESS_LOG: 'all',
      RATELIMIT_METRICS_TOP_KEYS: '0',
      RATELIMIT_RULES_FILE: rules,
      RATELIMIT_CALLER_KEYS: `ops=${digest('API key of ops')};*,identity=${digest('API key of identity')}`,
    }),
  );
  identity = resources.use(
    await startLoggedProcess('identity', {
      ...common,
      DATABASE_URL: proxy.url,
      DATABASE_SLOW_QUERY_MS: '1',
      DATABASE_SLOW_QUERY_PLANS: 'true',
      RATELIMIT_ADDRESS: ratelimit.grpcAddress,
      RATELIMIT_API_KEY: secret('API key of identity'),
      RATELIMIT_TIMEOUT_MS: '2000',
      IDENTITY_ACCESS_LOG: 'all',
      IDENTITY_ENCRYPTION_KEY: Buffer.from(secrets['encryption key'] as Uint8Array).toString('base64'),
      IDENTITY_CALLER_KEYS: `ops=${digest('API key of ops')};*`,
      MAIL_URL: `smtp://optix:${secret('mail password')}@127.0.0.1:${smtp.port}`,
      ...PASSKEY_SETTINGS,
    }),
  );
  await vi.waitFor(async () => expect((await fetch(`${identity.httpUrl}/health`)).status).toBe(200), 10_000);
});
afterAll(() => resources.disposeAsync());

/** Somebody else's value lies under a key; then Redis no longer knows the user. */
async function limiterFaults(): Promise<void> {
  const limiter = createClient(RateLimitService, planting.transportsTo(ratelimit)[0]);
  const identifier = `user:${secret('identifier')}`;
  for (const key of await redis.keys(`*${secret('identifier')}*`)) {
    await redis.del(key);
    await redis.rpush(key, secret('body'));
  }
  for (const endpoint of ['pairs', secret('endpoint')]) await limiter.checkLimit({ endpoint, identifier });
  await expect.poll(() => ratelimit.hasLogged('a key in Redis can not be used for counting')).toBe(true);
  await redis.call('ACL', 'DELUSER', REDIS_USER);
  await expect
    .poll(() => ratelimit.hasLogged('Redis is away: answering by the rules’ failure policies'), {
      timeout: 5000,
    })
    .toBe(true);
  await limiter.checkLimit({ endpoint: 'pairs', identifier });
}

async function mailFaults(): Promise<void> {
  const [grpc] = planting.transportsTo(identity).map((transport) => identityRpcs(transport));
  const email = secret('address of a user');
  mails = 'later';
  await grpc?.credentials.requestPasswordReset({ email });
  await expect.poll(() => identity.hasLogged('a mail could not be sent yet'), { timeout: 5000 }).toBe(true);
  mails = 'never';
  await grpc?.auth.register({ email: secret('address of the new'), password: secret('password') });
  await expect.poll(() => identity.hasLogged('a mail was refused for good'), { timeout: 5000 }).toBe(true);
}

/** What the database refuses for a reason nobody foresaw, what it breaks off in the middle, and what it can't be asked. */
async function databaseFaults(): Promise<void> {
  const [grpc, http] = planting.transportsTo(identity).map((transport) => identityRpcs(transport));
  const account = { email: secret('address of nobody'), password: secret('password') };
  await withTestClient(database.url, async (client) => {
    await client.query('alter table user_service.users add constraint fault check (false) not valid');
    const broken = await failure(http?.auth.register(account) as Promise<unknown>);
    expect(reasonOf(broken)).toBe('INTERNAL');
    await client.query('alter table user_service.users drop constraint fault');
    await client.query('begin');
    await client.query('lock table user_service.users in access exclusive mode');
    const cut = [grpc, http].map((rpcs) => failure(rpcs?.auth.register(account) as Promise<unknown>));
    const waiting =
      "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    await expect.poll(async () => (await client.query(waiting)).rowCount).toBeGreaterThan(0);
    await proxy.down();
    await Promise.all(cut);
    await client.query('rollback');
  });
  await expect.poll(() => identity.hasLogged('the database is away'), { timeout: 5000 }).toBe(true);
  for (const rpcs of [grpc, http]) {
    await failure(rpcs?.auth.authenticate(account) as Promise<unknown>);
    await failure(rpcs?.users.getUser({ email: account.email }) as Promise<unknown>);
  }
}

async function limiterAway(): Promise<void> {
  await ratelimit.kill();
  const [grpc] = planting.transportsTo(identity).map((transport) => identityRpcs(transport));
  const account = { email: secret('address of a user'), password: secret('password') };
  await failure(grpc?.auth.authenticate(account) as Promise<unknown>);
  await expect.poll(() => identity.hasLogged('the rate limiter can not be asked')).toBe(true);
}

async function look(service: LoggedProcess): Promise<void> {
  for (const path of ['/health', '/health/database', '/health/redis']) await planting.ask(service, path);
  for (const accept of ['text/plain', 'application/openmetrics-text']) {
    expect(await planting.ask(service, '/metrics', { headers: { accept } })).toBe(200);
  }
}

function places(): Place[] {
  const said = planting.errors.map(({ message, cause, details, metadata }) =>
    JSON.stringify([message, String(cause), details, [...metadata]]),
  );
  return [
    ...identity.lines.map((text) => ({ name: 'the log of identity', text })),
    ...ratelimit.lines.map((text) => ({ name: 'the log of ratelimit', text })),
    ...said.map((text) => ({ name: 'an error', text })),
    ...planting.answers.map((text) => ({ name: 'an answer of HTTP', text })),
    ...collector.requests.map(({ body }) => ({ name: 'a span', text: body })),
  ];
}

describe('after all that can be done with secrets, and all that can break', () => {
  it('no log, metric, health, span or error has one', async () => {
    await plantInAccounts(planting, identity, database.url);
    await plantInLimits(planting, ratelimit);
    await mailFaults();
    for (const service of [identity, ratelimit]) await look(service);
    collector.behaviour = { status: 500 };
    await databaseFaults();
    await limiterFaults();
    for (const service of [identity, ratelimit]) await look(service);
    await limiterAway();
    await expect
      .poll(() => identity.hasLogged('the collector does not take spans'), { timeout: 8000 })
      .toBe(true);

    for (const message of ['call', 'request refused', 'unexpected error', 'a statement was slow']) {
      expect([message, identity.hasLogged(message)]).toEqual([message, true]);
    }
    expect(
      identity.lines.some((line) => /"msg":"call"/.test(line) && /"trace_id":"[0-9a-f]{32}"/.test(line)),
    ).toBe(true);
    expect(planting.errors.length).toBeGreaterThan(60);
    expect(collector.spans.length).toBeGreaterThan(100);
    expect(findSecrets(secrets, places())).toEqual([]);
  }, 60_000);

  it('the search finds one that is planted in any of these places', () => {
    const planted = [
      ...places(),
      { name: 'the log of identity', text: `{"a":"${secret('cookie')}"}` },
      { name: 'an answer of HTTP', text: Buffer.from(`x${secret('password')}`).toString('base64') },
    ];
    expect(findSecrets(secrets, planted)).toEqual(
      expect.arrayContaining([
        'cookie as text in the log of identity',
        'password as base64 in an answer of HTTP',
      ]),
    );
  });
});

describe('a start that fails for bad settings', () => {
  const bad = randomText('bad-setting');
  it.each([
    [
      'identity',
      {
        DATABASE_URL: `postgres//optix:${bad}@db`,
        IDENTITY_ENCRYPTION_KEY: bad,
        IDENTITY_CALLER_KEYS: `ops=${bad}`,
        MAIL_URL: `smtp//optix:${bad}@host`,
      },
    ],
    ['ratelimit', { REDIS_URL: `redis//:${bad}@host`, OTEL_EXPORTER_OTLP_HEADERS: bad }],
  ] as const)('of %s names all of them, and repeats none', async (service, env) => {
    const error = await startLoggedProcess(service, env).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    for (const name of Object.keys(env)) expect(error?.message).toContain(name);
    expect(findSecrets({ bad }, [{ name: 'standard error', text: error?.message ?? '' }])).toEqual([]);
  });
});
