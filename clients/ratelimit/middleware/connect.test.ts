import { createServer } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { createClient } from '@connectrpc/connect';
import { connectNodeAdapter, createConnectTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EchoService } from '../../../gen/optix/testing/v1/echo_service_pb.ts';
import { remoteAddressValues } from '../../http/connect-facts.ts';
import { limitCalls } from './connect.ts';
import { byUser } from './keys.ts';
import { perMinute, startTestLimits, type TestLimits } from './testing-middleware.ts';
import { rpcInterceptorSpec, type StartEcho } from './testing-rpc.ts';

const startEcho: StartEcho = async (options, echo) => {
  const server = createHttp2Server(
    connectNodeAdapter({
      routes: (router) => router.service(EchoService, echo),
      interceptors: [limitCalls(options)],
      contextValues: remoteAddressValues,
    }),
  );
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const transport = createConnectTransport({ baseUrl, httpVersion: '2' });
  const close = async () => {
    server.close();
    for (const session of sessions) session.destroy();
  };
  return { client: createClient(EchoService, transport), close };
};

describe('Connect', () => {
  rpcInterceptorSpec(startEcho);

  describe('by plain HTTP', () => {
    const resources = new AsyncDisposableStack();
    let limits: TestLimits;
    beforeAll(async () => {
      limits = resources.use(await startTestLimits());
    });
    afterAll(() => resources.disposeAsync());

    it('answers 429 with Retry-After, to the user that the request names', async () => {
      const server = createServer(
        connectNodeAdapter({
          routes: (router) => router.service(EchoService, { echo: ({ text }) => ({ text }) }),
          interceptors: [
            limitCalls({
              limiter: limits.limiter,
              endpoint: await limits.rule(perMinute(1)),
              key: byUser(({ header }) => header.get('x-user') ?? undefined),
            }),
          ],
        }),
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      resources.defer(() => void server.close());
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const post = () =>
        fetch(`${url}/optix.testing.v1.EchoService/Echo`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-user': 'ada' },
          body: '{"text":"a"}',
        });
      const passed = await post();
      expect([passed.status, passed.headers.get('x-ratelimit-remaining')]).toEqual([200, '0']);
      const denied = await post();
      expect([denied.status, denied.headers.get('x-ratelimit-remaining')]).toEqual([429, '0']);
      expect(denied.headers.get('retry-after')).toMatch(/^(5\d|60)$/);
      expect(await denied.json()).toMatchObject({ code: 'resource_exhausted' });
    });
  });
});
