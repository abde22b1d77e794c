import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { redisSettings, redisTarget } from '../../../runtime/redis-settings.ts';
import { type RedisTarget, singleRedis } from '../../../runtime/redis-target.ts';
import { readSettings } from '../../../runtime/settings.ts';
import { freePort } from '../../../stack/ports.ts';
import { startRedis } from '../../../stack/redis-server.ts';
import { makeAuthority, makeCertificate } from '../../../testing/certificates.ts';
import { startRedisCluster } from '../../../testing/redis-cluster.ts';
import { startRedisSentinels } from '../../../testing/redis-sentinel.ts';
import { RedisProbe } from './redis-probe.ts';

function probeOf(target: RedisTarget): () => Promise<string> {
  const probe = new RedisProbe(target);
  onTestFinished(() => probe[Symbol.dispose]());
  return () => probe.ping().then(() => 'there', String);
}

it('finds one server, and that it is gone', async () => {
  const server = await startRedis();
  const state = probeOf(singleRedis(server.url));
  await expect.poll(state, { timeout: 2_000 }).toBe('there');
  await server.stop();
  await expect.poll(state, { timeout: 2_000 }).toMatch(/ECONNREFUSED/);
});

it('finds the master that sentinels tell of, and the next one', async () => {
  await using sentinels = await startRedisSentinels();
  const state = probeOf(sentinels.target);
  await expect.poll(state, { timeout: 2_000 }).toBe('there');
  sentinels.master.kill('SIGKILL');
  await expect.poll(state, { timeout: 3_000 }).not.toBe('there');
  await expect.poll(state, { timeout: 15_000 }).toBe('there');
});

it('finds every master of a cluster, and that one is gone', async () => {
  await using cluster = await startRedisCluster();
  const state = probeOf(cluster.target);
  await expect.poll(state, { timeout: 3_000 }).toBe('there');
  cluster.masters[1]?.server.kill('SIGSTOP');
  await expect.poll(state, { timeout: 5_000 }).not.toBe('there');
  cluster.masters[1]?.server.kill('SIGCONT');
  await expect.poll(state, { timeout: 5_000 }).toBe('there');
});

it('finds one over TLS with the authority that the settings name, and with no other', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'optix-probe-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = (name: string) => join(directory, name);
  for (const name of ['authority', 'stranger']) makeAuthority(directory, name);
  makeCertificate(directory, 'server', 'authority');
  const port = await freePort();
  await using _server = await startRedis({
    args: [
      ...['--tls-port', `${port}`, '--tls-auth-clients', 'no', '--tls-ca-cert-file', file('authority.crt')],
      ...['--tls-cert-file', file('server.crt'), '--tls-key-file', file('server.key')],
    ],
  });
  const stateWith = (authority: string) => {
    const env = { REDIS_URL: `rediss://127.0.0.1:${port}`, REDIS_TLS_CA_FILE: file(`${authority}.crt`) };
    return probeOf(redisTarget(readSettings(redisSettings(''), env)) as RedisTarget);
  };
  await expect.poll(stateWith('authority'), { timeout: 2_000 }).toBe('there');
  await expect.poll(stateWith('stranger'), { timeout: 2_000 }).toMatch(/certificate/);
});
