import { randomUUID } from 'node:crypto';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keyDigest } from '../../runtime/callers/caller-key.ts';
import { createTestDatabase } from '../../testing/database.ts';
import { failure, reasonOf } from '../../testing/failure.ts';
import { servicesOf, startTestIdentity, type TestService } from '../../testing/services.ts';
import { createIdentityClient, type IdentityClient } from './identity-client.ts';

const PASSWORD = 'correct horse battery staple';

const resources = new AsyncDisposableStack();
let service: TestService;
let identity: IdentityClient;
beforeAll(async () => {
  const database = resources.use(await createTestDatabase());
  service = resources.use(
    await startTestIdentity({
      DATABASE_URL: database.url,
      RATE_LIMIT_ENABLED: 'false',
      IDENTITY_CALLER_KEYS: `app=${keyDigest('key-of-app')};*`,
    }),
  );
  identity = resources.use(createIdentityClient({ address: service.grpcAddress, apiKey: 'key-of-app' }));
});
afterAll(() => resources.disposeAsync());

test('reaches each service over one connection, with the API key', async () => {
  const email = `${randomUUID()}@example.com`;
  const { user } = await identity.authentication.register({
    ...{ email, password: PASSWORD, firstName: 'Ada', lastName: 'Lovelace' },
    device: { ipAddress: '198.51.100.7' },
  });
  const { session, accessToken } = await identity.authentication.authenticate({
    ...{ email, password: PASSWORD },
    device: { ipAddress: '198.51.100.7' },
  });
  const userId = user?.id ?? '';
  expect((await identity.users.getUser({ id: userId })).user).toMatchObject({ id: userId, email });
  expect(await identity.tokens.introspectToken({ token: accessToken })).toMatchObject({
    ...{ active: true, sub: userId, sid: session?.id },
  });
  const { sessions } = await identity.sessions.listSessions({ userId });
  expect(sessions.map(({ id }) => id)).toEqual([session?.id]);
  await identity.credentials.changePassword({
    ...{ userId, currentPassword: PASSWORD, newPassword: 'another horse battery staple' },
  });
  expect((await identity.signingKeys.listSigningKeys({})).keys).not.toHaveLength(0);
});

test('has a client for each service that the contracts define', async () => {
  const methods = (names: readonly string[]) => names.toSorted().join();
  const clients = Object.values(identity).map((client: object) => methods(Object.keys(client)));
  const services = await servicesOf('optix/identity/v1');
  expect(services.length).toBeGreaterThan(0);
  for (const { typeName, methods: described } of services) {
    const names = described.map(({ localName }) => localName);
    expect(clients.includes(methods(names)), typeName).toBe(true);
  }
});

describe('fails', () => {
  test('without the key', async () => {
    using stranger = createIdentityClient({ address: service.grpcAddress });
    const error = await failure(stranger.tokens.getJwks({}));
    expect([error.code, reasonOf(error)]).toEqual([Code.Unauthenticated, 'CALLER_UNAUTHENTICATED']);
  });

  test('at once where the key can not be sent, and does not repeat it', () => {
    const connect = () => createIdentityClient({ address: service.grpcAddress, apiKey: 'geheim\n' });
    expect(connect).toThrow(TypeError);
    expect(connect).not.toThrow(/geheim/);
  });

  test('once it was disposed of, in every service', async () => {
    const client = createIdentityClient({ address: service.grpcAddress, apiKey: 'key-of-app' });
    await client.tokens.getJwks({});
    client[Symbol.dispose]();
    for (const call of [client.tokens.getJwks({}), client.users.getUser({ id: randomUUID() })]) {
      expect((await failure(call)).code).toBe(Code.Unavailable);
    }
  });
});
