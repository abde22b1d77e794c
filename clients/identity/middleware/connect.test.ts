import { once } from 'node:events';
import { createServer as createHttp1Server } from 'node:http';
import { createServer } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { type ConnectRouter, createClient } from '@connectrpc/connect';
import { connectNodeAdapter, createConnectTransport } from '@connectrpc/connect-node';
import { expect, test } from 'vitest';
import { EchoService } from '../../../gen/optix/testing/v1/echo_service_pb.ts';
import { failure } from '../../../testing/failure.ts';
import { authenticate, identityKey } from './connect.ts';
import { describeRpcMiddleware, type StartRpcServer } from './testing-rpc-middleware.ts';

const startServer: StartRpcServer = async (options, handlers) => {
  const implementation = handlers((context) => context.values.get(identityKey));
  const routes = (router: ConnectRouter) => router.service(EchoService, implementation);
  const interceptors = [authenticate(options)];
  return await listening(createServer(connectNodeAdapter({ routes, interceptors })));
};

async function listening(server: Server): Promise<AsyncDisposable & { readonly port: number }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describeRpcMiddleware(startServer);

test('over Connect’s protocol the challenge is a header of HTTP', async () => {
  const verifier = { verify: () => Promise.reject(new Error('not asked')) };
  const routes = (router: ConnectRouter) => router.service(EchoService, {});
  const interceptors = [authenticate({ verifier })];
  await using server = await listening(createHttp1Server(connectNodeAdapter({ routes, interceptors })));
  const baseUrl = `http://127.0.0.1:${server.port}`;
  const response = await fetch(`${baseUrl}/optix.testing.v1.EchoService/Echo`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: '{}',
  });
  expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="optix"']);
  const transport = createConnectTransport({ baseUrl, httpVersion: '1.1', nodeOptions: { agent: false } });
  const error = await failure(createClient(EchoService, transport).echo({}));
  expect(error.metadata.get('www-authenticate')).toBe('Bearer realm="optix"');
});
