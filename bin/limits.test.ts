import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyDigest } from '../runtime/callers/caller-key.ts';
import { type RedisServer, startRedis } from '../stack/redis-server.ts';
import { startTestRateLimit, type TestService } from '../testing/services.ts';
import { runOptix, startOptix } from './testing-optix.ts';

let redis: RedisServer;
let service: TestService;
beforeAll(async () => {
  redis = await startRedis();
  service = await startTestRateLimit({
    REDIS_URL: redis.url,
    RATELIMIT_CALLER_KEYS: `ops=${keyDigest('key-of-ops')};limits.check;rules.read`,
  });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await redis.stop();
});

const KEY = { OPTIX_API_KEY: 'key-of-ops' };

async function optix(...args: string[]) {
  return await runOptix([...args, '--address', service.grpcAddress], KEY);
}

describe('optix check', () => {
  it('counts until there is no room, and ends with 3 then', async () => {
    const first = await optix('check', 'auth_login', 'user:1', '--cost', '4');
    expect(first).toMatchObject({ status: 0, stderr: '' });
    const [verdict, titles, row] = first.stdout.split('\n');
    expect(verdict).toBe('allowed: auth_login user:1');
    expect(titles?.split(/ {2,}/)).toEqual([
      ...['rule', 'limit', 'units', 'remaining', 'window', 'reset', 'algorithm', 'source', 'verdict'],
    ]);
    expect(row).toMatch(/^auth_login +5 +1 +1m +(1m|[45]\ds) +SLIDING_WINDOW_LOG +REDIS +room$/);

    const second = await optix('check', 'auth_login', 'user:1', '--cost', '2', '--json');
    expect(second.status).toBe(3);
    expect(JSON.parse(second.stdout)).toMatchObject({
      allowed: false,
      limit: 5,
      remaining: 1,
      rule: 'auth_login',
      window: '60s',
      source: 'DECISION_SOURCE_REDIS',
      limits: [],
    });
    const third = await optix('check', 'auth_login', 'user:1', '--cost', '2');
    expect(third.stdout).toMatch(/^denied, retry in (1m|[45]\ds): auth_login user:1\n/);
  });

  it('passes roles on', async () => {
    const { status, stdout } = await optix('check', 'orders', 'user:1', '--role', 'user', '--role', 'admin');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^allowed by a bypass role: .*\n.*\n.* BYPASS +not counted$/m);
  });

  it('fails where the cost could never be allowed, and names the field', async () => {
    expect(await optix('check', 'auth_login', 'user:2', '--cost', '6')).toEqual({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(/^optix: \[invalid_argument\] cost must be at most 5[^\n]*\n$/),
    });
  });
});

it('optix peek counts nothing', async () => {
  for (let times = 0; times < 2; times += 1) {
    const { status, stdout } = await optix('peek', 'auth_register', 'ip:203.0.113.9');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^auth_register +3 +3 +1m +now +SLIDING_WINDOW_LOG +REDIS +room$/m);
  }
  expect((await optix('peek', 'auth_login', 'user:1', '--cost', '5')).status).toBe(3);
});

describe('optix top', () => {
  it('ranks what was denied, or checked', async () => {
    for (let times = 0; times < 3; times += 1) await optix('check', 'top_orders', 'user:top');
    await expect
      .poll(async () => (await optix('top', '--checked', '--endpoint', 'top_orders')).stdout, {
        timeout: 10_000,
      })
      .toMatch(/^1 replica, since 20\S+Z\nendpoint +identifier +checked.*\ntop_orders +user:top +3/);
    const json = await optix('top', '--checked', '--endpoint', 'top_orders', '--count', '1', '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({
      entries: [{ identifier: 'user:top', count: '3' }],
      replicas: 1,
    });
    expect((await optix('top', '--endpoint', 'top_orders')).stdout).toMatch(
      /^nothing was denied \(1 replica, /,
    );
  });

  it('stops showing it when nobody reads on', async () => {
    const child = startOptix(['top', '--watch', '--address', service.grpcAddress], KEY);
    child.stdout.destroy();
    expect(await once(child, 'close')).toEqual([0, null]);
  });

  it('shows it again and again, until Ctrl-C', async () => {
    const child = startOptix(['top', '--watch', '--json', '--address', service.grpcAddress], KEY);
    const errors = text(child.stderr);
    await once(child.stdout, 'data');
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(await errors).toBe('');
  });
});

describe('optix tail', () => {
  async function tailed(flags: readonly string[], end: (child: ReturnType<typeof startOptix>) => void) {
    const child = startOptix(
      ['tail', '--endpoint', 'tailed', '--address', service.grpcAddress, ...flags],
      KEY,
    );
    const errors = text(child.stderr);
    let output = '';
    child.stdout.on('data', (part) => {
      output += part;
    });
    const closed = once(child, 'close');
    while (output === '' && child.exitCode === null) await optix('check', 'tailed', 'user:4711');
    end(child);
    const [status] = await closed;
    return { status, output, errors: await errors };
  }

  it('shows decisions until Ctrl-C, and how many', async () => {
    const { status, output, errors } = await tailed([], (child) => child.kill('SIGINT'));
    expect([status, errors]).toEqual([0, expect.stringMatching(/^optix: [1-9]\d* shown, 0 left out\n$/)]);
    expect(output).toMatch(
      /^20\S+Z {2}allowed {2}tailed +user:4711 +\d+ of 100 left +REDIS, rule api_default\n/,
    );
  });

  it('prints a JSON document a line', async () => {
    const { output } = await tailed(['--json', '--sample', '1'], (child) => child.kill('SIGTERM'));
    expect(JSON.parse(output.split('\n')[0] ?? '')).toMatchObject({
      endpoint: 'tailed',
      identifier: 'user:4711',
      allowed: true,
      limit: 100,
      dropped: '0',
    });
  });

  it('ends when nobody reads on', async () => {
    const child = startOptix(['tail', '--endpoint', 'unread', '--address', service.grpcAddress], KEY);
    child.stdout.destroy();
    const errors = text(child.stderr);
    const ended = once(child, 'close');
    while (child.exitCode === null) await optix('check', 'unread', 'user:1');
    expect(await ended).toEqual([0, null]);
    expect(await errors).toMatch(/ shown, 0 left out\n$/);
  });
});
