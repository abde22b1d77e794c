import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { LEAST_RIGHTS } from '../services/ratelimit/storage/testing-acl.ts';
import { inspect } from '../services/ratelimit/storage/testing-redis.ts';
import { type RedisServer, startRedis } from '../stack/redis-server.ts';
import { makeAuthority, makeCertificate } from '../testing/certificates.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { startTestIdentity, startTestRateLimit, type TestService } from '../testing/services.ts';
import { checkMachine } from './commands/doctor/check-machine.ts';
import { checkClock } from './commands/doctor/clock-skew.ts';
import { type Finding, Findings } from './commands/doctor/finding.ts';
import { harmlessForms } from './commands/doctor/redis-rights.ts';
import { doctorCommand } from './commands/doctor.ts';
import { runOptix } from './testing-optix.ts';

/** In URLs of these tests, and nowhere in what the doctor says. */
const SECRET = 'hush-hush';

let database: TestDatabase;
let redis: RedisServer;
let identity: TestService;
let ratelimit: TestService;
let env: NodeJS.ProcessEnv;
beforeAll(async () => {
  [database, redis] = await Promise.all([createTestDatabase(), startRedis({ appendOnly: true })]);
  const stores = { DATABASE_URL: database.url, REDIS_URL: redis.url };
  [identity, ratelimit] = await Promise.all([
    startTestIdentity({ ...stores, RATE_LIMIT_ENABLED: 'false' }),
    startTestRateLimit(stores),
  ]);
  for (const service of [identity, ratelimit]) {
    await vi.waitFor(async () => expect((await service.get('/health')).status).toBe(200), {
      timeout: 10_000,
    });
  }
  const port = (address: string) => address.split(':').at(-1);
  env = {
    ...stores,
    IDENTITY_GRPC_PORT: port(identity.grpcAddress),
    IDENTITY_HTTP_PORT: port(identity.httpUrl),
    RATELIMIT_GRPC_PORT: port(ratelimit.grpcAddress),
    RATELIMIT_HTTP_PORT: port(ratelimit.httpUrl),
  };
});
afterAll(async () => {
  await Promise.all([identity[Symbol.asyncDispose](), ratelimit[Symbol.asyncDispose]()]);
  await Promise.all([database[Symbol.asyncDispose](), redis.stop()]);
});

/** What the doctor finds in this environment, but for what is well. */
async function complaints(only: string, changed: NodeJS.ProcessEnv = {}) {
  for (const [name, value] of Object.entries({ ...env, ...changed })) vi.stubEnv(name, value);
  const printed = vi.spyOn(console, 'log').mockReturnValue();
  const status = await doctorCommand(['--only', only, '--json']);
  const output = String(printed.mock.calls.at(-1)?.[0]);
  expect(output).not.toContain(SECRET);
  const { problems, findings } = JSON.parse(output) as { problems: number; findings: Finding[] };
  expect(status).toBe(problems === 0 ? 0 : 3);
  return findings.filter(({ level }) => level !== 'ok').map(({ level, what }) => `${level}: ${what}`);
}
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

test('on a running stack it looks at everything, and warns of what development leaves open', async () => {
  const { status, stdout, stderr } = await runOptix(['doctor'], env);
  // PostgreSQL of these tests runs without fsync, for speed: all that is a problem here.
  const problems = stdout.split('\n').filter((line) => line.startsWith('PROBLEM'));
  expect(
    problems.filter((line) => !/ (fsync|full_page_writes|synchronous_commit) is off$/.test(line)),
  ).toEqual([]);
  expect([status, stderr]).toEqual([problems.length === 0 ? 0 : 3, '']);
  for (const line of [
    /^ok +machine +Node \d+\./m,
    /^ok +identity +identity serves at 127\.0\.0\.1:\d+ \(gRPC\)$/m,
    /^ok +ratelimit +ratelimit serves at 127\.0\.0\.1:\d+ \(HTTP\)$/m,
    /^ok +postgresql +PostgreSQL \d+/m,
    /^ok +postgresql +no migration is pending$/m,
    /^ok +postgresql +PostgreSQL's clock is \d+ ms/m,
    /^ok +redis +127\.0\.0\.1:\d+: maxmemory-policy is noeviction$/m,
    /^ok +redis +127\.0\.0\.1:\d+ lets ratelimit send each command/m,
    /^WARNING +settings +identity: IDENTITY_ENCRYPTION_KEY is unset[\s\S]*?^ +why: [\s\S]*?^ +do: {2}/m,
    /^WARNING +postgresql +role \S+ (is a superuser|may delete)/m,
    /^\d problems, \d+ warnings, \d+ looked at$/m,
  ]) {
    expect(stdout).toMatch(line);
  }
});

describe('settings', () => {
  test('each that keeps a service from starting is a problem', async () => {
    const wrong = { DATABASE_URL: '', RATELIMIT_HTTP_PORT: 'web', REDIS_MODE: 'sentinel' };
    expect(await complaints('settings', wrong)).toEqual([
      'problem: identity: DATABASE_URL must be set',
      expect.stringMatching(/^problem: ratelimit: RATELIMIT_HTTP_PORT must be a whole number/),
    ]);
  });

  test('passwords that everybody knows are told of, and not shown', async () => {
    const urls = {
      DATABASE_URL: 'postgres://optix:changeme@127.0.0.1:1/optix',
      REDIS_URL: 'redis://:foobared@127.0.0.1:1',
    };
    const found = await complaints('settings', urls);
    expect(found).toEqual(
      expect.arrayContaining([
        expect.stringContaining('a URL of PostgreSQL has the password of an example'),
        expect.stringContaining('REDIS_URL has the password of an example'),
      ]),
    );
    expect(found.join()).not.toMatch(/changeme|foobared/);
  });
});

test('services and stores that are stopped are problems, told without the passwords of their URLs', async () => {
  const away = {
    DATABASE_URL: `postgres://optix:${SECRET}@127.0.0.1:1/optix`,
    REDIS_URL: `redis://:${SECRET}@127.0.0.1:1`,
    IDENTITY_GRPC_PORT: '1',
    IDENTITY_HTTP_PORT: '1',
    RATELIMIT_GRPC_PORT: '1',
    RATELIMIT_HTTP_PORT: '1',
  };
  expect(await complaints('services,postgresql,redis', away)).toEqual([
    'problem: identity at 127.0.0.1:1 (gRPC): nothing answers',
    'problem: identity at 127.0.0.1:1 (HTTP): nothing answers',
    'problem: ratelimit at 127.0.0.1:1 (gRPC): nothing answers',
    'problem: ratelimit at 127.0.0.1:1 (HTTP): nothing answers',
    expect.stringMatching(/^problem: PostgreSQL \(DATABASE_URL\) can't be reached: .*ECONNREFUSED/),
    expect.stringMatching(/^problem: Redis \(REDIS_URL\) can't be asked: .*ECONNREFUSED/),
  ]);
});

test('ports that speak TLS, and ask for a certificate, are asked so', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'optix-doctor-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  makeAuthority(directory, 'authority');
  makeCertificate(directory, 'server', 'authority');
  const file = (name: string) => join(directory, name);
  const tls = {
    REDIS_URL: redis.url,
    TLS_CERT_FILE: file('server.crt'),
    TLS_KEY_FILE: file('server.key'),
    TLS_CLIENT_AUTH: 'required',
    TLS_CLIENT_CA_FILE: file('authority.crt'),
  };
  await using secured = await startTestRateLimit(tls);
  const ports = {
    RATELIMIT_GRPC_PORT: secured.grpcAddress.split(':').at(-1),
    RATELIMIT_HTTP_PORT: secured.httpUrl.split(':').at(-1),
  };
  await expect
    .poll(async () =>
      (await complaints('services', { ...tls, ...ports })).filter((text) => text.includes('ratelimit')),
    )
    .toEqual([]);
});

describe('PostgreSQL', () => {
  test('a schema that is not up to date is a problem', async () => {
    await using empty = await createTestDatabase({ migrated: false });
    expect(await complaints('postgresql', { DATABASE_URL: empty.url })).toContainEqual(
      expect.stringMatching(/^problem: \d+ migrations are pending, from Migration\d+/),
    );
  });

  test('what the role is set to, and more connections than there are, are told of', async () => {
    await using other = await createTestDatabase();
    const name = new URL(other.url).pathname.slice(1);
    await withTestClient(other.url, async (client) => {
      await client.query(`alter database ${name} set synchronous_commit = off`);
      await client.query(`alter database ${name} set timezone = 'Asia/Tokyo'`);
      await client.query(`alter database ${name} set statement_timeout = 7000`);
    });
    const changed = { DATABASE_URL: other.url, DATABASE_POOL_SIZE: '1000' };
    expect(await complaints('postgresql', changed)).toEqual(
      expect.arrayContaining([
        'problem: synchronous_commit is off',
        'warning: the time zone is Asia/Tokyo',
        'warning: statement_timeout is 7000 ms',
        expect.stringMatching(/^problem: a replica of identity takes up to 1011 connections, of \d+/),
      ]),
    );
  });

  test('a role that may rewrite the audit log is a problem in production', async () => {
    const production = {
      ENVIRONMENT: 'production',
      REDIS_URL: '',
      IDENTITY_ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
      IDENTITY_CALLER_KEYS: `ops=${'a'.repeat(64)}`,
      TOKEN_ISSUER: 'https://id.example.com',
      MAIL_URL: 'smtp://127.0.0.1:1',
    };
    expect(await complaints('postgresql', production)).toContainEqual(
      expect.stringMatching(
        /^problem: role \S+ (is a superuser|may delete on user_service\.security_events)/,
      ),
    );
  });

  test('a server that is no standby is no replica', async () => {
    expect(await complaints('postgresql', { DATABASE_REPLICA_URLS: database.url })).toContain(
      'problem: replica 1 (DATABASE_REPLICA_URLS) is no standby',
    );
  });
});

describe('Redis', () => {
  test('what would forget or lose counts is told of', async () => {
    await using hurt = await startRedis({
      args: ['--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru', '--enable-debug-command', 'yes'],
    });
    await using admin = inspect(hurt.url);
    await admin.call('DEBUG', 'SLEEP', '0.06');
    expect(await complaints('redis', { REDIS_URL: hurt.url })).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^problem: 127\.0\.0\.1:\d+: maxmemory-policy is allkeys-lru$/),
        expect.stringMatching(/^warning: 127\.0\.0\.1:\d+ keeps nothing on disk$/),
        expect.stringMatching(
          /^warning: \S+: 1 commands of the last hour took 50 ms or more, up to \d+ ms \(DEBUG\)$/,
        ),
      ]),
    );
  });

  test('a replica is a problem', async () => {
    await using replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(redis.port)] });
    expect(await complaints('redis', { REDIS_URL: replica.url })).toContainEqual(
      expect.stringMatching(/^problem: 127\.0\.0\.1:\d+ is a replica$/),
    );
  });

  test('the least rights are enough, and each command that is taken away is named', async () => {
    await using admin = inspect(redis.url);
    const url = `redis://limiter:${SECRET}@127.0.0.1:${redis.port}`;
    await admin.call('ACL', 'SETUSER', 'limiter', 'reset', 'on', `>${SECRET}`, ...LEAST_RIGHTS);
    expect(
      (await complaints('redis', { REDIS_URL: url })).filter((text) => text.startsWith('problem')),
    ).toEqual([]);
    await admin.call('ACL', 'SETUSER', 'limiter', '-zadd', '-publish');
    expect(await complaints('redis', { REDIS_URL: url })).toContainEqual(
      expect.stringMatching(/^problem: \S+ refuses zadd, publish$/),
    );
    const wrong = `redis://limiter:not-${SECRET}@127.0.0.1:${redis.port}`;
    expect(await complaints('redis', { REDIS_URL: wrong })).toEqual([
      expect.stringMatching(/^problem: Redis \(REDIS_URL\) can't be asked: WRONGPASS/),
    ]);
  });

  test('the commands that are tried are those of the least rights', () => {
    const tried = harmlessForms('key').map(([command, argument]) =>
      command === 'client' ? `+${command}|${argument}` : `+${command}`,
    );
    // Subscribing would change the connection; the rest is for clusters, which are joined before.
    const untried = ['+subscribe', '+cluster|slots', '+cluster|info', '+readonly', '+asking'];
    const rights = LEAST_RIGHTS.filter((right) => right.startsWith('+'));
    expect([...tried, ...untried].sort()).toEqual(rights.toSorted());
  });
});

test.each([
  [0, 'ok'],
  [400, 'ok'],
  [-700, 'warning'],
  [9_000, 'warning'],
  [-15_000, 'problem'],
])('a clock that is off by %d ms is %s', (skewMs, level) => {
  const findings = new Findings('redis');
  checkClock('Redis', { beforeMs: 1000, theirsMs: 1010 + skewMs, afterMs: 1020 }, findings);
  expect(findings.all.map((finding) => finding.level)).toEqual([level]);
});

test('a clock is not blamed for what the way there and back may have taken', () => {
  const findings = new Findings('redis');
  checkClock('Redis', { beforeMs: 0, theirsMs: 5_000, afterMs: 9_000 }, findings);
  expect(findings.all[0]?.level).toBe('ok');
});

test.each([
  ['20.19.0', 'problem'],
  ['22.14.0', 'warning'],
  ['24.6.0', 'warning'],
  ['24.7.0', 'ok'],
  ['26.0.0', 'ok'],
])('of Node %s doctor says: %s', (version, level) => {
  expect(checkMachine(version).all[0]?.level).toBe(level);
});

test.each([
  [['--only', 'weather'], '--only "weather" is none of machine, settings'],
  [['now'], '"now" is one argument too many'],
])('optix doctor %j is refused with what is wrong', async (args, says) => {
  const { status, stdout, stderr } = await runOptix(['doctor', ...args]);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toContain(says);
});
