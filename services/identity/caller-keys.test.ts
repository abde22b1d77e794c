import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CallerService } from '../../gen/optix/callers/v1/caller_service_pb.ts';
import { IdentityService } from '../../gen/optix/identity/v1/identity_service_pb.ts';
import { TokenService } from '../../gen/optix/identity/v1/token_service_pb.ts';
import { keyDigest } from '../../runtime/callers/caller-key.ts';
import { createTestDatabase } from '../../testing/database.ts';
import { reasonOf } from '../../testing/failure.ts';
import { startTestIdentity, type TestService, TRANSPORTS } from '../../testing/services.ts';

const ADMIN = { headers: { authorization: 'Bearer key-of-ops' } };

const resources = new AsyncDisposableStack();
let one: TestService;
let two: TestService;
beforeAll(async () => {
  const database = resources.use(await createTestDatabase());
  const env = {
    DATABASE_URL: database.url,
    RATE_LIMIT_ENABLED: 'false',
    IDENTITY_CALLER_KEYS: `ops=${keyDigest('key-of-ops')};callers.admin`,
  };
  one = resources.use(await startTestIdentity(env));
  two = resources.use(await startTestIdentity(env));
});
afterAll(() => resources.disposeAsync());

const admin = (service: TestService) => createClient(CallerService, service.transport('gRPC'));
const soon = async (assertion: () => Promise<void> | void) =>
  await vi.waitFor(assertion, { timeout: 5_000, interval: 20 });

/** What a key is told: undefined where it is let in. */
async function refusalOf(service: TestService, key: string, transport: (typeof TRANSPORTS)[number]) {
  const tokens = createClient(TokenService, service.transport(transport));
  const headers = { authorization: `Bearer ${key}` };
  return await tokens.getJwks({}, { headers }).then(() => undefined, reasonOf);
}

describe('a caller key in PostgreSQL', () => {
  it('is good on each process within a second, and refused by each within a second of its revocation', async () => {
    const { callerKey, key } = await admin(one).createCallerKey({ name: 'a', scopes: ['users.read'] }, ADMIN);
    const created = performance.now();
    await soon(async () => expect(await refusalOf(two, key, 'HTTP')).toBeUndefined());
    expect(performance.now() - created).toBeLessThan(1_000);
    for (const transport of TRANSPORTS) expect(await refusalOf(one, key, transport)).toBeUndefined();

    await admin(two).revokeCallerKey({ id: callerKey?.id ?? '' }, ADMIN);
    const revoked = performance.now();
    for (const transport of TRANSPORTS) {
      expect(await refusalOf(two, key, transport)).toBe('CALLER_UNAUTHENTICATED');
    }
    await soon(async () => expect(await refusalOf(one, key, 'gRPC')).toBe('CALLER_UNAUTHENTICATED'));
    expect(performance.now() - revoked).toBeLessThan(1_000);
    const { callerKeys } = await admin(one).listCallerKeys({}, ADMIN);
    expect(callerKeys.find(({ id }) => id === callerKey?.id)).toMatchObject({ createdBy: 'ops' });
  });

  it('that is revoked ends the streams of its caller, those that bring requests too', async () => {
    const { callerKey, key } = await admin(one).createCallerKey({ name: 'b', scopes: ['*'] }, ADMIN);
    const headers = { authorization: `Bearer ${key}` };
    const ended = Promise.withResolvers<void>();
    const watching = (async () => {
      const tokens = createClient(TokenService, one.transport('gRPC'));
      for await (const _ of tokens.watchRevocations({}, { headers }));
    })();
    let asked = 0;
    const users = (async function* () {
      asked += 1;
      yield { email: 'imported@example.com', firstName: 'A', lastName: 'B' };
      asked += 1;
      await ended.promise;
    })();
    const importing = createClient(IdentityService, one.transport('gRPC')).importUsers(users, { headers });
    const codes: Code[] = [];
    for (const stream of [watching, importing]) {
      stream.then(
        () => codes.push(Code.Unknown),
        (error: unknown) => codes.push(ConnectError.from(error).code),
      );
    }
    await soon(() => expect(asked).toBe(2));
    await admin(two).revokeCallerKey({ id: callerKey?.id ?? '' }, ADMIN);
    const revoked = performance.now();
    await soon(() => expect(codes).toEqual([Code.Unauthenticated, Code.Unauthenticated]));
    expect(performance.now() - revoked).toBeLessThan(2_000);
    ended.resolve();
    const { users: found } = await createClient(IdentityService, two.transport('gRPC')).listUsers(
      {},
      { headers: { authorization: `Bearer ${await readerKey()}` } },
    );
    expect(found).toEqual([]);
  });
});

async function readerKey(): Promise<string> {
  const { key } = await admin(two).createCallerKey({ name: 'c', scopes: ['users.read'] }, ADMIN);
  return key;
}
