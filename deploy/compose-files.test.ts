import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig as readIdentity } from '../services/identity/config.ts';
import { readConfig as readRateLimit } from '../services/ratelimit/config.ts';
import { compose } from './testing-compose.ts';
import { type ConfiguredService, composeConfig, findDockerCompose } from './testing-compose-config.ts';

const FILES = {
  'one host': ['docker-compose.yml'],
  'two replicas': ['docker-compose.yml', 'deploy/compose/two-replicas.yml'],
  'a Redis Cluster': ['docker-compose.yml', 'deploy/compose/redis-cluster.yml'],
};
type Shape = keyof typeof FILES;
const SHAPES = Object.keys(FILES) as Shape[];

let directory: string;
let secrets: NodeJS.Dict<string>;
const shapes = {} as Record<Shape, Readonly<Record<string, ConfiguredService>>>;
beforeAll(() => {
  const program = findDockerCompose();
  if (program === undefined)
    throw new Error('the tests need Docker Compose: `apt-get install docker-compose`');
  directory = mkdtempSync(join(tmpdir(), 'optix-compose-'));
  const envFile = join(directory, '.env');
  spawnSync('/bin/sh', [fileURLToPath(new URL('./new-secrets.sh', import.meta.url)), envFile]);
  secrets = parseEnv(readFileSync(envFile, 'utf8'));
  for (const shape of SHAPES) {
    shapes[shape] = composeConfig(program, FILES[shape], envFile, directory).services;
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function service(shape: Shape, name: string): ConfiguredService {
  const found = shapes[shape][name];
  if (found === undefined) throw new Error(`${shape} has no ${name}`);
  return found;
}

/** What a container gets: without a value it is not set. */
function environment(shape: Shape, name: string): Record<string, string> {
  const values = Object.entries(service(shape, name).environment ?? {});
  return Object.fromEntries(values.flatMap(([key, value]) => (value === null ? [] : [[key, String(value)]])));
}

/** Ports as `host:container`, of either form in which Docker Compose writes them. */
function ports(shape: Shape, name: string): string[] {
  const published: readonly unknown[] = service(shape, name).ports ?? [];
  return published.map((port) => {
    if (typeof port === 'string') return port.replace('/tcp', '');
    const { host_ip, published, target } = port as Record<string, string | number>;
    return `${host_ip}:${published}:${target}`;
  });
}

describe.each(SHAPES)('the files of %s', (shape) => {
  it('are taken by Docker Compose, with the secrets of new-secrets.sh', () => {
    expect(Object.keys(shapes[shape])).toEqual(expect.arrayContaining(Object.keys(compose.services)));
  });

  it('start both services with settings that they take', () => {
    const identity = readIdentity(environment(shape, 'identity'));
    const ratelimit = readRateLimit(environment(shape, 'ratelimit'));
    expect(identity).toMatchObject({
      environment: 'production',
      rateLimitAddress: `ratelimit:${ratelimit.grpcPort}`,
    });
    expect(ratelimit.redis?.password).toBe(secrets['REDIS_PASSWORD']);
  });

  it('give no container rights that it does not need', () => {
    for (const container of Object.values(shapes[shape])) {
      expect(container).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
    }
  });

  it('open the same ports, to this host only', () => {
    const all = Object.keys(shapes[shape]).flatMap((name) => ports(shape, name));
    expect(all.sort()).toEqual([
      '127.0.0.1:50051:50051',
      '127.0.0.1:50052:50052',
      '127.0.0.1:8081:8081',
      '127.0.0.1:8082:8082',
    ]);
  });
});

describe('two replicas', () => {
  it.each(['identity', 'ratelimit'])('of %s have no ports: HAProxy has them', (name) => {
    expect(service('two replicas', name).deploy).toMatchObject({ replicas: 2 });
    expect(ports('two replicas', name)).toEqual([]);
    expect(ports('two replicas', 'haproxy')).toHaveLength(4);
  });

  it('go on serving until HAProxy has seen that they end', () => {
    const { shutdownDelayMs, shutdownTimeoutMs } = readRateLimit(environment('two replicas', 'ratelimit'));
    expect(shutdownDelayMs).toBe(5000);
    expect(service('two replicas', 'ratelimit')).toMatchObject({ stop_grace_period: '30s' });
    expect(shutdownDelayMs + shutdownTimeoutMs).toBeLessThan(30_000);
  });
});

describe('a Redis Cluster', () => {
  it('is what both services ask, once it is made', () => {
    for (const name of ['identity', 'ratelimit']) {
      expect(service('a Redis Cluster', name).depends_on).toMatchObject({
        'redis-cluster': { condition: 'service_completed_successfully' },
      });
    }
    const { redis } = readRateLimit(environment('a Redis Cluster', 'ratelimit'));
    expect(redis).toMatchObject({ mode: 'cluster', password: secrets['REDIS_PASSWORD'] });
    const hosts = redis?.nodes.map(({ host }) => host) ?? [];
    expect(hosts).toEqual(['redis', 'redis-2', 'redis-3']);
    expect(readIdentity(environment('a Redis Cluster', 'identity')).redisMode).toBe('cluster');
  });

  it('is made of nodes with addresses that stay', () => {
    const nodes = Object.entries(shapes['a Redis Cluster']).filter(([name]) => /^redis(-\d)?$/.test(name));
    const addresses = nodes.map(([, { networks }]) => `${networks?.['counts']?.ipv4_address}:6379`);
    expect(new Set(addresses).size).toBe(6);
    const named = environment('a Redis Cluster', 'redis-cluster')['NODES'] ?? '';
    expect(named.split(' ').sort()).toEqual(addresses.sort());
    expect(Object.keys(service('a Redis Cluster', 'redis-cluster').depends_on ?? {}).sort()).toEqual(
      nodes.map(([name]) => name).sort(),
    );
  });

  it('keeps what it counts apart from what the one Redis had', () => {
    const volumes = (shape: Shape) => JSON.stringify(service(shape, 'redis').volumes);
    expect(volumes('a Redis Cluster')).toContain('redis-1');
    expect(volumes('one host')).not.toContain('redis-1');
  });
});
