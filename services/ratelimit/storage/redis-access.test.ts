import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { redisSettings, redisTarget } from '../../../runtime/redis-settings.ts';
import { type RedisTarget, singleRedis } from '../../../runtime/redis-target.ts';
import { readSettings } from '../../../runtime/settings.ts';
import { freePort } from '../../../stack/ports.ts';
import { type RedisServer, startRedis } from '../../../stack/redis-server.ts';
import { makeAuthority, makeCertificate } from '../../../testing/certificates.ts';
import { RedisStore } from './redis-store.ts';
import { LEAST_RIGHTS } from './testing-acl.ts';
import { connectedStore, inspect, killRedis, take } from './testing-redis.ts';
import { askFor, termOf } from './testing-terms.ts';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});

afterAll(async () => {
  await killRedis(server);
});

/** What the store fails with, once it has tried to connect. */
async function failureOf(target: RedisTarget, pattern: RegExp): Promise<string> {
  const store = new RedisStore({ target });
  onTestFinished(async () => await store[Symbol.asyncDispose]());
  const failure = () => store.prepare('').then(() => 'well', String);
  await expect.poll(failure, { timeout: 3_000 }).toMatch(pattern);
  return await failure();
}

describe('the user of the ACL that docs/rate-limiting.md names', () => {
  const url = () => `redis://limiter:s3cret%2Fone@127.0.0.1:${server.port}`;

  beforeAll(async () => {
    await using admin = inspect(server.url);
    await admin.call('ACL', 'SETUSER', 'limiter', 'reset', 'on', '>s3cret/one', ...LEAST_RIGHTS);
  });

  it('can do all that the store does, also with the scripts flushed', async () => {
    await using store = await connectedStore(singleRedis(url()));
    await using admin = inspect(server.url);
    const terms = (
      ['SLIDING_WINDOW_LOG', 'SLIDING_WINDOW_COUNTER', 'TOKEN_BUCKET', 'FIXED_WINDOW', 'CONCURRENCY'] as const
    ).map((algorithm) => termOf('FAIL_OPEN', `ratelimit:rights:{u}:${algorithm}`, { algorithm }));
    for (let turn = 1; turn <= 4; turn++) {
      await admin.script('FLUSH');
      const states = await store.decide(askFor(terms, { lease: `op-${turn}` }));
      expect(states.map(({ allowed }) => allowed)).toEqual(terms.map(() => turn <= 3));
      const parts = terms.map((term, index) => ({ ...term, resetMicros: states[index]?.resetMicros ?? 0 }));
      if (turn === 3) await store.renew('op-3', parts);
      if (turn === 4) expect(await store.refund('op-3', parts)).toHaveLength(5);
    }
    for (const { key, limit } of terms) {
      const debt =
        limit.algorithm === 'CONCURRENCY'
          ? ['op-9', 1, 1_000]
          : limit.algorithm === 'TOKEN_BUCKET'
            ? [1]
            : [1, 1];
      await store.settle([{ key, limit, debt }]);
    }
    expect(await store.reset(terms.map(({ key }) => key))).toBe(5);
    const log = (await admin.call('ACL', 'LOG')) as unknown[];
    expect(log).toEqual([]);
  });

  it('reaches no other keys and no other commands', async () => {
    const client = new Redis(url(), { protocol: 2, disableClientInfo: true });
    onTestFinished(() => client.disconnect());
    await expect(client.get('sessions:1')).rejects.toThrow(/^NOPERM/);
    await expect(client.eval("return redis.call('GET', KEYS[1])", 1, 'sessions:1')).rejects.toThrow(
      /NOPERM|permission/,
    );
    await expect(client.flushall()).rejects.toThrow(/^NOPERM/);
    await expect(client.keys('*')).rejects.toThrow(/^NOPERM/);
    await expect(client.config('GET', '*')).rejects.toThrow(/^NOPERM/);
  });

  it.each([
    ['a wrong password', () => url().replace('one', 'two'), /WRONGPASS/],
    ['an unknown user', () => url().replace('limiter:', 'someone:'), /WRONGPASS/],
  ])('gives a reason without secrets for %s', async (_, wrong, reason) => {
    const failure = await failureOf(singleRedis(wrong()), reason);
    expect(failure).not.toMatch(/s3cret|limiter|someone/);
  });

  it('gives a reason for missing rights', async () => {
    await using admin = inspect(server.url);
    await admin.call('ACL', 'SETUSER', 'reader', 'reset', 'on', '>s3cret', '~ratelimit:*', '+info', '+ping');
    await failureOf(singleRedis(`redis://reader:s3cret@127.0.0.1:${server.port}`), /NOPERM/);
  });
});

describe('a Redis behind TLS that asks for a certificate', () => {
  let directory: string;
  let tls: RedisServer;
  let tlsPort: number;
  const file = (name: string) => join(directory, name);

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'optix-tls-'));
    for (const name of ['authority', 'stranger']) makeAuthority(directory, name);
    makeCertificate(directory, 'server', 'authority');
    makeCertificate(directory, 'limiter', 'authority');
    makeCertificate(directory, 'intruder', 'stranger');
    tlsPort = await freePort();
    tls = await startRedis({
      args: [
        ...[
          '--tls-port',
          `${tlsPort}`,
          '--tls-auth-clients',
          'yes',
          '--tls-ca-cert-file',
          file('authority.crt'),
        ],
        ...['--tls-cert-file', file('server.crt'), '--tls-key-file', file('server.key')],
      ],
    });
  });

  afterAll(async () => {
    await killRedis(tls);
    rmSync(directory, { recursive: true });
  });

  /** As the services read it from their settings. */
  function target(change: Record<string, string> = {}): RedisTarget {
    const env = {
      REDIS_URL: `rediss://127.0.0.1:${tlsPort}`,
      REDIS_TLS_CA_FILE: file('authority.crt'),
      REDIS_TLS_CERT_FILE: file('limiter.crt'),
      REDIS_TLS_KEY_FILE: file('limiter.key'),
      ...change,
    };
    return redisTarget(readSettings(redisSettings(''), env)) as RedisTarget;
  }

  it('is counted in', async () => {
    await using store = await connectedStore(target());
    expect((await take(store, 'encrypted')).remaining).toBe(4);
    await using admin = inspect(tls.url);
    expect(await admin.exists('encrypted')).toBe(1);
  });

  it('is not believed with a certificate of another authority, or with none that Node knows', async () => {
    await failureOf(target({ REDIS_TLS_CA_FILE: file('stranger.crt') }), /certificate/);
    await failureOf(target({ REDIS_TLS_CA_FILE: '' }), /certificate/);
  });

  it('is not believed under another name than its certificate has', async () => {
    await failureOf(target({ REDIS_URL: `rediss://localhost:${tlsPort}` }), /altnames|Hostname/);
  });

  it('lets nobody in without a certificate of its authority', async () => {
    const none = { REDIS_TLS_CERT_FILE: '', REDIS_TLS_KEY_FILE: '' };
    await failureOf(target(none), /alert|closed|reset|lost|EPIPE|ECONN/i);
    const foreign = { REDIS_TLS_CERT_FILE: file('intruder.crt'), REDIS_TLS_KEY_FILE: file('intruder.key') };
    const failure = await failureOf(target(foreign), /alert|closed|reset|lost|EPIPE|ECONN/i);
    expect(failure).not.toContain(readFileSync(file('intruder.key'), 'utf8').slice(30, 60));
  });
});
