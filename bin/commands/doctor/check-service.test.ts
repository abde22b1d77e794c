import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { checkService } from './check-service.ts';

test('a service that runs without one of its stores is not told of as one whose calls all fail', async () => {
  const components = { redis: { status: 'NOT_SERVING' }, database: { status: 'SERVING' } };
  const server = createServer((_, response) => response.writeHead(503).end(JSON.stringify({ components })));
  onTestFinished(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const ports = { bindAddress: '127.0.0.1', grpcPort: 1, httpPort: port, tls: undefined };
  const [grpc, http] = (await checkService('identity', ports)).all;
  expect(grpc).toMatchObject({ level: 'problem', why: 'calls that go there fail' });
  expect(http).toMatchObject({
    what: `identity at 127.0.0.1:${port} (HTTP): it is not well (redis)`,
    why: 'what needs the store that is away fails, or is answered without it',
  });
});
