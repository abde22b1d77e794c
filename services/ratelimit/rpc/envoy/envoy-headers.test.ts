import { describe, expect, it } from 'vitest';
import { descriptor, fresh, startTestEnvoy, type TestEnvoy } from '../../testing-envoy.ts';

const EDGE = `
domain: edge
descriptors:
  - { key: user, rate_limit: { unit: day, requests_per_unit: 3, name: by_user } }
  - { key: path, rate_limit: { unit: week, requests_per_unit: 10 } }
  - { key: none, rate_limit: { unit: day, requests_per_unit: 0 } }
  - { key: trial, shadow_mode: true, rate_limit: { unit: day, requests_per_unit: 1 } }
`;
/** The headers of an answer by their names. */
async function headersOf(envoy: TestEnvoy, ...pairs: readonly string[]): Promise<Record<string, string>> {
  const { responseHeadersToAdd } = await envoy.client.shouldRateLimit({
    domain: 'edge',
    descriptors: pairs.map((pair) => descriptor([pair])),
  });
  return Object.fromEntries(responseHeadersToAdd.map(({ key, value }) => [key, value]));
}

describe('headers', () => {
  it('as the reference implementation has them tell of the descriptor with the least left', async () => {
    await using envoy = await startTestEnvoy({ 'edge.yaml': EDGE }, { RATELIMIT_ENVOY_HEADERS: 'reference' });
    const [user, path] = [`user=${fresh()}`, `path=${fresh()}`];
    expect(await headersOf(envoy, path, user)).toEqual({
      'RateLimit-Limit': '3',
      'RateLimit-Remaining': '2',
      'RateLimit-Reset': expect.stringMatching(/^\d{1,5}$/),
    });
    expect(await headersOf(envoy, user, 'none=x')).toMatchObject({ 'RateLimit-Limit': '0' });
    expect(await headersOf(envoy, 'unknown=x')).toEqual({});
  });

  it('in full are those of CheckLimit, over all limits that are enforced', async () => {
    await using envoy = await startTestEnvoy({ 'edge.yaml': EDGE }, { RATELIMIT_ENVOY_HEADERS: 'full' });
    const pairs = [`path=${fresh()}`, `user=${fresh()}`, `trial=${fresh()}`];
    expect(await headersOf(envoy, ...pairs)).toEqual({
      'X-RateLimit-Limit': '3',
      'X-RateLimit-Remaining': '2',
      'X-RateLimit-Reset': expect.stringMatching(/^\d{13}$/),
      'RateLimit-Policy': '"edge.user:day";q=3;w=86400, "edge.path:week";q=10;w=604800',
      RateLimit: expect.stringMatching(/^"edge.user:day";r=2;t=\d+, "edge.path:week";r=9;t=\d+$/),
    });
    await headersOf(envoy, ...pairs);
    await headersOf(envoy, ...pairs);
    const denied = await headersOf(envoy, ...pairs);
    expect(denied).toMatchObject({ 'X-RateLimit-Limit': '3', 'X-RateLimit-Remaining': '0' });
    const seconds = Number(denied['Retry-After']);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(86_400);
    expect(Object.keys(await headersOf(envoy, 'none=x'))).toEqual(['Retry-After']);
  });
});
