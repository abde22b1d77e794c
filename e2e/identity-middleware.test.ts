import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type Client, createClient } from '@connectrpc/connect';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import express from 'express';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import { authenticate, identityOf, requireIdentity } from '../clients/identity/middleware/express.ts';
import { authenticate as authenticateCalls, currentIdentity } from '../clients/identity/middleware/grpc.ts';
import { createTokenVerifier, type TokenVerifier } from '../clients/identity/token-verifier.ts';
import { EchoService } from '../gen/optix/testing/v1/echo_service_pb.ts';
import { mountOnGrpc } from '../runtime/grpc-mount.ts';
import { serviceTable } from '../runtime/service-table.ts';
import { createTestDatabase } from '../testing/database.ts';
import { testRedisUrl } from '../testing/redis.ts';
import { IdentityReplicas } from './identity-replicas.ts';

const ISSUER = 'https://id.example.com';
/** Within what a revocation reaches whoever watches, in milliseconds. */
const PROMISED_MS = 1000;

const resources = new AsyncDisposableStack();
let identity: IdentityReplicas;
let shop: string;
let echo: Client<typeof EchoService>;
beforeAll(async () => {
  const database = resources.use(await createTestDatabase());
  identity = resources.use(
    await IdentityReplicas.start({
      ...{ DATABASE_URL: database.url, REDIS_URL: testRedisUrl(), TOKEN_ISSUER: ISSUER },
    }),
  );
  // At the replica that nobody signs out at.
  const { grpcAddress: address } = identity.two;
  const verifier = resources.use(createTokenVerifier({ address, issuer: ISSUER, audience: 'optix' }));
  await vi.waitFor(() => expect(verifier.state.fresh).toBe(true), { timeout: 5000 });
  shop = `http://127.0.0.1:${await startShop(verifier)}`;
  const transport = createGrpcTransport({ address: `127.0.0.1:${await startEcho(verifier)}` });
  echo = createClient(EchoService, resources.use(transport));
});
afterAll(() => resources.disposeAsync());

async function startShop(verifier: TokenVerifier): Promise<number> {
  const app = express();
  app.use(authenticate({ verifier }));
  app.get('/orders', (request, response) => void response.json({ user: identityOf(request)?.userId }));
  app.get(
    '/reports',
    requireIdentity({ roles: ['premium'] }),
    (_request, response) => void response.json({}),
  );
  app.get('/transfers', requireIdentity({ acr: 'aal2' }), (_request, response) => void response.json({}));
  const server = app.listen(0, '127.0.0.1');
  resources.defer(() => void server.closeAllConnections());
  resources.defer(() => void server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function startEcho(verifier: TokenVerifier): Promise<number> {
  const server = new Server({ interceptors: [authenticateCalls({ verifier })] });
  const notHere = () => {
    throw new Error('not part of this test');
  };
  mountOnGrpc(
    server,
    serviceTable(EchoService, {
      ...{ repeat: notHere, join: notHere, chat: notHere },
      echo: () => ({ text: currentIdentity()?.userId ?? '' }),
    }),
  );
  resources.defer(() => server.forceShutdown());
  return await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

const get = (path: string, token: string) =>
  fetch(`${shop}${path}`, { headers: { authorization: `Bearer ${token}` } });
const callEcho = (token: string) => echo.echo({}, { headers: { authorization: `Bearer ${token}` } });

test('who signed in is known to backends, and is refused within a second of signing out', async () => {
  const { email, id } = await identity.newUser();
  const { accessToken } = await identity.signIn(email);
  const other = await identity.signIn(email, 'laptop');
  expect(await (await get('/orders', accessToken)).json()).toEqual({ user: id });
  expect((await callEcho(accessToken)).text).toBe(id);

  await identity.rpcs.auth.signOut({ accessToken });
  await vi.waitFor(
    async () => {
      const response = await get('/orders', accessToken);
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringContaining('error="invalid_token"'),
      ]);
      await expect(callEcho(accessToken)).rejects.toThrow('[unauthenticated] the access token was revoked');
    },
    { timeout: PROMISED_MS, interval: 10 },
  );
  expect((await get('/orders', other.accessToken)).status).toBe(200);
});

test('a role that was given opens its routes to the next token', async () => {
  const { email, id } = await identity.newUser();
  const before = await identity.signIn(email);
  expect((await get('/reports', before.accessToken)).status).toBe(403);
  await identity.rpcs.users.updateUserRoles({ id, roles: ['premium'] });
  const { accessToken } = await identity.signIn(email);
  expect((await get('/reports', accessToken)).status).toBe(200);
});

test('a password alone is not enough where a second factor is asked for', async () => {
  const { email } = await identity.newUser();
  const { accessToken } = await identity.signIn(email);
  const response = await get('/transfers', accessToken);
  expect(response.headers.get('www-authenticate')).toContain('acr_values="aal2"');
  expect([response.status, await response.json()]).toMatchObject([
    401,
    { error: 'insufficient_user_authentication', acr_values: 'aal2' },
  ]);
});
