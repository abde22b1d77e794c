import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePort } from './ports.ts';
import { readStackSettings, requireFreePorts } from './stack-settings.ts';

test('without settings everything is on loopback, with stores of its own', () => {
  expect(readStackSettings({ DATABASE_URL: '', REDIS_URL: ' ' })).toMatchObject({
    environment: 'development',
    host: '127.0.0.1',
    identityGrpcPort: 50_051,
    identityHttpPort: 8081,
    ratelimitGrpcPort: 50_052,
    ratelimitHttpPort: 8082,
    databaseUrl: undefined,
    redisUrl: undefined,
  });
});

test('a service on all addresses is reached by loopback, and IPv6 addresses stand in brackets', () => {
  const hosts = ['0.0.0.0', '::', '::1', '192.0.2.7'].map((a) => readStackSettings({ BIND_ADDRESS: a }).host);
  expect(hosts).toEqual(['127.0.0.1', '[::1]', '[::1]', '192.0.2.7']);
});

test('production does not run on the embedded stores', () => {
  expect(() => readStackSettings({ ENVIRONMENT: 'production' })).toThrow(
    /DATABASE_URL must be set.*REDIS_URL/,
  );
  const own = { DATABASE_URL: 'postgres://db/optix', REDIS_URL: 'redis://redis' };
  expect(readStackSettings({ ENVIRONMENT: 'production', ...own }).databaseUrl).toBe(own.DATABASE_URL);
});

test('a port that is no number, taken, or given twice is named by its setting', async () => {
  expect(() => readStackSettings({ IDENTITY_GRPC_PORT: '0' })).toThrow(/^IDENTITY_GRPC_PORT must be/);

  const [a, b, c] = [await freePort(), await freePort(), await freePort()];
  const env = { IDENTITY_GRPC_PORT: `${a}`, IDENTITY_HTTP_PORT: `${b}`, RATELIMIT_GRPC_PORT: `${c}` };
  const server = createServer();
  const taken = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  try {
    const both = readStackSettings({ ...env, RATELIMIT_GRPC_PORT: `${a}`, RATELIMIT_HTTP_PORT: `${taken}` });
    await expect(requireFreePorts(both)).rejects.toMatchObject({
      problems: [
        `RATELIMIT_GRPC_PORT is ${a}, and so is IDENTITY_GRPC_PORT`,
        `RATELIMIT_HTTP_PORT is ${taken}, which another program uses on 127.0.0.1`,
      ],
    });
  } finally {
    server.close();
  }
  const free = readStackSettings({ ...env, RATELIMIT_HTTP_PORT: `${taken}` });
  await expect(requireFreePorts(free)).resolves.toBeUndefined();
});

test('an address that this machine does not have is named by its setting', async () => {
  const settings = readStackSettings({ BIND_ADDRESS: '192.0.2.7' });
  await expect(requireFreePorts(settings)).rejects.toThrow(/^BIND_ADDRESS/);
});
