import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fresh, startTestEnvoy, type TestEnvoy } from '../../testing-envoy.ts';
import { message, number, part, read } from './testing-wire.ts';

const EDGE = `
domain: edge
descriptors:
  - { key: user, rate_limit: { unit: day, requests_per_unit: 3, name: by_user } }
  - { key: none, rate_limit: { unit: day, requests_per_unit: 0 } }
`;

describe('on the wire, by Envoy’s own field numbers', () => {
  let envoy: TestEnvoy;
  let client: Client;
  beforeAll(async () => {
    envoy = await startTestEnvoy({ 'edge.yaml': EDGE }, { RATELIMIT_ENVOY_HEADERS: 'reference' });
    client = new Client(envoy.service.grpcAddress, credentials.createInsecure());
  });
  afterAll(async () => {
    client.close();
    await envoy[Symbol.asyncDispose]();
  });

  const call = (request: Uint8Array): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit',
        (bytes: Uint8Array) => Buffer.from(bytes),
        (bytes) => bytes,
        request,
        (error, answer) => (error === null ? resolve(answer as Buffer) : reject(error)),
      );
    });

  it('answers a request that was written byte by byte', async () => {
    // domain "edge"; one descriptor with the one entry "nobody" = "x".
    const request = Buffer.from('0a0465646765 120d 0a0b 0a066e6f626f6479 120178'.replaceAll(' ', ''), 'hex');
    // overall_code OK; one status with the code OK.
    expect((await call(request)).toString('hex')).toBe('0801' + '12020801');
  });

  it('lets a descriptor without entries pass, as Envoy sends it where skip_if_absent finds nothing', async () => {
    // domain "edge"; one empty descriptor, and one with a limit of its own and no entries.
    const request = Buffer.from('0a0465646765 1200 1206 1204 0801 1004'.replaceAll(' ', ''), 'hex');
    for (let times = 0; times < 3; times += 1) {
      expect((await call(request)).toString('hex')).toBe('0801' + '12020801' + '12020801');
    }
  });

  it('counts a value whose bytes are no UTF-8', async () => {
    // domain "edge"; one descriptor with the one entry "none" = the bytes ff fe.
    const request = Buffer.from('0a0465646765 120c 0a0a 0a046e6f6e65 1202fffe'.replaceAll(' ', ''), 'hex');
    // overall_code OVER_LIMIT.
    expect((await call(request)).toString('hex')).toMatch(/^0802/);
  });

  it('reads and writes each field', async () => {
    const user = fresh();
    const entry = message(part(1, 'user'), part(2, user));
    const override = message(number(1, 7), number(2, 7));
    const request = message(
      part(1, 'edge'),
      part(2, message(part(1, entry))),
      part(2, message(part(1, entry), part(2, override), part(3, number(1, 5)))),
      part(2, message(part(1, entry), number(4, 1))),
      number(3, 2),
      part(15, 'a field of later versions'),
    );
    const [overall, own, brought, back, ...headers] = read(await call(request));
    expect(overall).toEqual({ field: 1, value: 1n });
    for (const status of [own, brought, back]) expect(status?.field).toBe(2);
    const [code, limit, left, until] = read(own?.value as Buffer);
    expect([code, left]).toEqual([
      { field: 1, value: 1n },
      { field: 3, value: 1n },
    ]);
    expect(limit?.field).toBe(2);
    expect(read(limit?.value as Buffer)).toEqual([
      { field: 1, value: 3n },
      { field: 2, value: 4n },
      { field: 3, value: Buffer.from('by_user') },
    ]);
    expect(until?.field).toBe(4);
    const [seconds] = read(until?.value as Buffer);
    expect(seconds?.field).toBe(1);
    expect(Number(seconds?.value)).toBeLessThanOrEqual(86_400);
    const [, week, two] = read(brought?.value as Buffer);
    expect(read(week?.value as Buffer)).toEqual([
      { field: 1, value: 7n },
      { field: 2, value: 7n },
    ]);
    expect(two).toEqual({ field: 3, value: 2n });
    const named = headers.map(({ field, value }) => {
      const [key, text] = read(value as Buffer);
      return [field, key?.field, String(key?.value), text?.field, String(text?.value)];
    });
    expect(named).toEqual([
      [3, 1, 'RateLimit-Limit', 2, '3'],
      [3, 1, 'RateLimit-Remaining', 2, '1'],
      [3, 1, 'RateLimit-Reset', 2, expect.stringMatching(/^\d{1,5}$/)],
    ]);
  });

  it('says that a request is over its limit', async () => {
    const entry = message(part(1, 'none'), part(2, 'x'));
    const answer = read(await call(message(part(1, 'edge'), part(2, message(part(1, entry))))));
    expect(answer[0]).toEqual({ field: 1, value: 2n });
    expect(read(answer[1]?.value as Buffer)[0]).toEqual({ field: 1, value: 2n });
  });
});
