import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createRateLimitClient } from '../clients/ratelimit/rate-limit-client.ts';
import { startRateLimit } from '../services/ratelimit/service.ts';
import { freePort } from '../stack/ports.ts';
import { findRedis } from '../stack/redis-server.ts';
import type { ComposeService } from './testing-compose.ts';

// The containers' own commands and files, run on this machine: only paths and ports are others.

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const PASSWORD = 'a1b2c3';
const QUIET = { LOG_LEVEL: 'silent', RATELIMIT_GRPC_PORT: '0', RATELIMIT_HTTP_PORT: '0' };

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'optix-compose-running-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

async function end(child: ChildProcess): Promise<void> {
  child.kill();
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

describe('the nodes of redis-cluster.yml', () => {
  const { services } = parse(readFileSync(path('./compose/redis-cluster.yml'), 'utf8'), { merge: true }) as {
    services: Record<string, ComposeService>;
  };
  const script = (name: string) => String(services[name]?.command?.[2]).replaceAll('$$', '$');

  /** Starts a node as its container does. */
  function startNode(name: string, port: number, busPort: number): ChildProcess {
    const own = join(directory, name);
    mkdirSync(own);
    const moved = script(name)
      .replaceAll('/etc/redis/redis.conf', path('./redis.conf'))
      .replaceAll('/tmp/redis.conf', join(own, 'redis.conf'))
      .replace('exec redis-server', `exec ${findRedis()}`);
    const local = `--port ${port} --cluster-port ${busPort} --bind 127.0.0.1 --dir ${own}`;
    return spawn('sh', ['-euc', `${moved.trim()} ${local}`], {
      env: { ...process.env, REDISCLI_AUTH: PASSWORD },
      stdio: 'ignore',
    });
  }

  /** Runs the container that makes the cluster. */
  async function makeCluster(nodes: readonly string[]) {
    const tools = dirname(findRedis() ?? '');
    const child = spawn('sh', ['-euc', script('redis-cluster')], {
      env: { PATH: `${tools}:${process.env['PATH']}`, REDISCLI_AUTH: PASSWORD, NODES: nodes.join(' ') },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [stdout, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    return { code: code as number, stdout };
  }

  it('become a cluster, which ratelimit counts in, and stay one when its job runs again', async () => {
    const names = Object.keys(services).filter((name) => /^redis(-\d)?$/.test(name));
    const ports = await Promise.all(names.map(async () => [await freePort(), await freePort()] as const));
    const children = names.map((name, index) =>
      startNode(name, ...(ports[index] as readonly [number, number])),
    );
    try {
      for (const [port] of ports) await answering(port);
      const nodes = ports.map(([port, busPort]) => `127.0.0.1:${port}@${busPort}`);
      expect(await makeCluster(nodes)).toMatchObject({ code: 0 });
      const again = await makeCluster(nodes);
      expect(again).toEqual({ code: 0, stdout: '' });
      // Each node hears of the others' roles by and by.
      await expect
        .poll(() => rolesOf(ports[0]?.[0] ?? 0), { timeout: 5000 })
        .toEqual({ master: 3, slave: 3 });

      const urls = ports.slice(0, 3).map(([port]) => `redis://:${PASSWORD}@127.0.0.1:${port}/0`);
      const env = { ...QUIET, REDIS_MODE: 'cluster', REDIS_URL: urls.join(',') };
      await using service = await startRateLimit(env);
      using client = createRateLimitClient({ address: `127.0.0.1:${service.grpcPort}` });
      const check = { endpoint: 'auth_register', identifier: 'user:1', cost: 3 };
      expect((await client.checkLimit(check)).allowed).toBe(true);
      expect((await client.checkLimit(check)).allowed).toBe(false);
    } finally {
      await Promise.all(children.map(end));
    }
  });

  async function answering(port: number): Promise<void> {
    const client = new Redis({
      port,
      password: PASSWORD,
      retryStrategy: () => 50,
      maxRetriesPerRequest: 200,
    });
    client.on('error', () => undefined);
    await client.ping();
    client.disconnect();
  }

  async function rolesOf(port: number) {
    const client = new Redis({ port, password: PASSWORD });
    const lines = String(await client.cluster('NODES'))
      .trim()
      .split('\n');
    client.disconnect();
    const count = (role: string) => lines.filter((line) => line.includes(role)).length;
    return { master: count('master'), slave: count('slave') };
  }
});

const haproxy = ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy', '/usr/bin/haproxy'].find(existsSync);

describe.skipIf(haproxy === undefined)(
  'the HAProxy of two-replicas.yml (skipped where there is none)',
  () => {
    it('spreads the calls of one connection over both replicas, and loses none when one ends', async () => {
      const [front, back] = [await freePorts(), await freePorts()];
      const start = async (address: string) =>
        await startRateLimit({
          LOG_LEVEL: 'silent',
          BIND_ADDRESS: address,
          RATELIMIT_GRPC_PORT: back(50052),
          RATELIMIT_HTTP_PORT: back(8082),
          SHUTDOWN_DELAY_MS: '3000',
        });
      const [first, second] = await Promise.all([start('127.0.0.2'), start('127.0.0.3')]);
      const file = join(directory, 'haproxy.cfg');
      writeFileSync(file, moved(['127.0.0.2', '127.0.0.3'], front, back));
      const child = spawn(haproxy ?? '', ['-db', '-f', file], { stdio: 'ignore' });
      using client = createRateLimitClient({ address: `127.0.0.1:${front(50052)}` });
      const isAllowed = async (identifier: string) =>
        (await client.checkLimit({ endpoint: 'auth_login', identifier })).allowed;
      try {
        // Each counts by itself here, and lets five pass.
        const allowedOf12 = async () => {
          const identifier = randomUUID();
          let allowed = 0;
          for (let calls = 0; calls < 12; calls++) allowed += Number(await isAllowed(identifier));
          return allowed;
        };
        // Until HAProxy has checked both it answers by itself, or by one of them.
        await expect.poll(() => allowedOf12().catch(() => 0), { timeout: 10_000 }).toBe(10);

        let isOver = false;
        const stop = async () => {
          await using _service = first;
        };
        const ending = stop().finally(() => {
          isOver = true;
        });
        let answered = 0;
        for (; !isOver; answered++) {
          await isAllowed(`user:${answered}`);
          await sleep(10);
        }
        await ending;
        expect(answered).toBeGreaterThan(50);
        expect(await isAllowed('user:last')).toBe(true);
      } finally {
        await end(child);
        await second[Symbol.asyncDispose]();
      }
    });

    /** A free port for each that the file names. */
    async function freePorts(): Promise<(port: number | string) => string> {
      const names = ['50051', '8081', '50052', '8082', '8404'];
      const ports = new Map(await Promise.all(names.map(async (name) => [name, await freePort()] as const)));
      return (port) => String(ports.get(String(port)));
    }

    /** The file, with replicas at these addresses instead of those that Docker's DNS knows, and with other ports. */
    function moved(
      replicas: readonly string[],
      front: (port: string) => string,
      back: (port: string) => string,
    ) {
      return readFileSync(path('./compose/haproxy.cfg'), 'utf8')
        .replace(/^resolvers docker\n(?: .*\n)*/m, '')
        .replace(' resolvers docker init-addr none', '')
        .replace(
          / {2}server-template (\w+) 8 \w+:(\d+)(.*)/g,
          (_, name: string, port: string, rest: string) =>
            replicas
              .map((address, index) => `  server ${name}${index} ${address}:${back(port)}${rest}`)
              .join('\n'),
        )
        .replace(
          /http-check connect port (\d+)/g,
          (_, port: string) => `http-check connect port ${back(port)}`,
        )
        .replace(/bind (?:127\.0\.0\.1)?:(\d+)/g, (_, port: string) => `bind 127.0.0.1:${front(port)}`);
    }
  },
);
