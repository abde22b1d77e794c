import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConnectError } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { createLimiter } from '../clients/ratelimit/create-limiter.ts';
import type { LimiterOptions } from '../clients/ratelimit/limiter-options.ts';
import { testRedisUrl } from '../testing/redis.ts';
import { StoppableLimiter } from './stoppable-limiter.ts';
import { startTcpBalancer, type TcpBalancer } from './tcp-balancer.ts';

const RULES = `rules:
  - { name: once, limits: [ { limit: 1, window: 1h } ] }
  - { name: api_default, limits: [ { limit: 100, window: 1m } ] }
`;

const directory = mkdtempSync(join(tmpdir(), 'optix-e2e-replicas-'));
let replicas: readonly [StoppableLimiter, StoppableLimiter];
let balancer: TcpBalancer;
beforeAll(async () => {
  const rules = join(directory, 'rules.yaml');
  writeFileSync(rules, RULES);
  const env = {
    ...{ REDIS_URL: testRedisUrl(), RATELIMIT_RULES_FILE: rules, REDIS_TIMEOUT_MS: '5000' },
    ...{ RATELIMIT_ACCESS_LOG: 'off', LOG_LEVEL: 'info' },
  };
  replicas = [new StoppableLimiter(env), new StoppableLimiter(env)];
  await Promise.all(replicas.map((replica) => replica.start()));
  balancer = await startTcpBalancer(replicas.map(({ address }) => address));
});
afterAll(async () => {
  await balancer[Symbol.asyncDispose]();
  await Promise.all(replicas.map((replica) => replica[Symbol.asyncDispose]()));
  rmSync(directory, { recursive: true });
});

let users = 0;

/** Asks for a new user's one unit every now and then, until it is told to stop. */
function load(options: Partial<LimiterOptions>) {
  const limiter = createLimiter({
    ...{ address: balancer.address, whenUnreachable: 'throw', timeoutMs: 5_000 },
    ...options,
  });
  onTestFinished(() => limiter[Symbol.dispose]());
  const checks: Promise<string>[] = [];
  const ask = async () => {
    try {
      const { allowed } = await limiter.check({ endpoint: 'once', identifier: `user:${users++}` });
      return allowed ? 'counted once' : 'counted twice';
    } catch (error) {
      return ConnectError.from(error).message;
    }
  };
  const timer = setInterval(() => {
    for (let count = 0; count < 3; count += 1) checks.push(ask());
  }, 4);
  onTestFinished(() => clearInterval(timer));
  return {
    checks,
    async outcomes() {
      clearInterval(timer);
      return [...new Set(await Promise.all(checks))];
    },
  };
}

it('replicas that are stopped and started one after the other answer each check, and count it once', async () => {
  const bothAddresses = `ipv4:${replicas.map(({ address }) => address).join(',')}`;
  const loads = {
    'stream through a balancer': load({}),
    'stream, addresses in turn': load({ address: bothAddresses }),
    'streams that are followed by others all the time': load({ maxStreamMs: 20 }),
    'unary calls through a balancer': load({ transport: 'unary' }),
    'unary calls, addresses in turn': load({ transport: 'unary', address: bothAddresses }),
  };
  await sleep(500);
  for (const replica of replicas) {
    await replica.stop();
    await replica.start();
    // As long as clients may take to find it again.
    await sleep(1_200);
  }
  for (const [name, { checks, outcomes }] of Object.entries(loads)) {
    expect([name, checks.length > 300, await outcomes()]).toEqual([name, true, ['counted once']]);
  }
}, 30_000);
