import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RedisCluster, startRedisCluster } from '../../testing/redis-cluster.ts';
import { descriptor, fresh, startTestEnvoy, type TestEnvoy, told } from './testing-envoy.ts';

const EDGE = `
domain: edge
descriptors:
  - { key: user, rate_limit: { unit: day, requests_per_unit: 5 } }
  - { key: path, rate_limit: { unit: day, requests_per_unit: 1000 } }
`;

let cluster: RedisCluster;
let envoy: TestEnvoy;
beforeAll(async () => {
  cluster = await startRedisCluster();
  const nodes = cluster.masters.map(({ address }) => `redis://${address}`).join();
  envoy = await startTestEnvoy(
    { 'edge.yaml': EDGE },
    { REDIS_MODE: 'cluster', REDIS_URL: nodes, REDIS_TIMEOUT_MS: '10000' },
  );
});
afterAll(async () => {
  await envoy?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

it('counts descriptors on several nodes all or nothing', async () => {
  const [path, users] = [fresh(), Array.from({ length: 8 }, fresh)];
  const ask = async (user: string) => {
    const descriptors = [descriptor([`path=${path}`]), descriptor([`user=${user}`])];
    return told(await envoy.client.shouldRateLimit({ domain: 'edge', descriptors }));
  };
  for (const user of users) {
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask(user)));
    expect(answers.filter((answer) => answer.startsWith('OK'))).toHaveLength(5);
  }
  const look = [descriptor([`path=${path}`], { hitsAddend: 0n })];
  const left = await envoy.client.shouldRateLimit({ domain: 'edge', descriptors: look });
  expect(told(left)).toBe(`OK: OK ${1000 - 5 * users.length}`);
  const back = [descriptor([`path=${path}`], { hitsAddend: 40n, isNegativeHits: true })];
  expect(told(await envoy.client.shouldRateLimit({ domain: 'edge', descriptors: back }))).toBe('OK: OK 1000');
});
