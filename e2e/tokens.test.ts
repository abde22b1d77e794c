import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, createClient } from '@connectrpc/connect';
import { decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TokenRevoked } from '../clients/identity/token-errors.ts';
import { createTokenVerifier, type TokenVerifier } from '../clients/identity/token-verifier.ts';
import { SigningKeyService, SigningKeyState } from '../gen/optix/identity/v1/signing_key_service_pb.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { failure, reasonOf } from '../testing/failure.ts';
import { testRedisUrl } from '../testing/redis.ts';
import { identityClients, startTestIdentity, type TestService, TRANSPORTS } from '../testing/services.ts';

const PASSWORD = 'correct horse battery staple';
const DEVICE = { ipAddress: '198.51.100.7' };
const ISSUER = 'https://identity.example';

let database: TestDatabase;
let replicas: readonly [TestService, TestService];
let verifier: TokenVerifier;
beforeAll(async () => {
  database = await createTestDatabase();
  const env = {
    DATABASE_URL: database.url,
    REDIS_URL: testRedisUrl(),
    RATE_LIMIT_ENABLED: 'false',
    TOKEN_ISSUER: ISSUER,
  };
  replicas = [await startTestIdentity(env), await startTestIdentity(env)];
  // It watches one replica; what it is to hear of happens on the other.
  verifier = createTokenVerifier({
    address: replicas[1].grpcAddress,
    ...{ issuer: ISSUER, audience: 'optix', whenStale: 'reject' },
    keyRetryMs: 0,
  });
  while (!verifier.state.fresh) await sleep(10);
});
afterAll(async () => {
  verifier[Symbol.dispose]();
  for (const replica of replicas) await replica[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

async function signIn() {
  const { auth } = identityClients(replicas[0], 'gRPC');
  const email = `${randomUUID()}@example.com`;
  await auth.register({ email, password: PASSWORD, firstName: 'Ada', lastName: 'Lovelace', device: DEVICE });
  return await auth.authenticate({ email, password: PASSWORD, device: DEVICE });
}

/** How long it takes until the verifier knows that a token was revoked, in milliseconds. */
async function untilRefused(token: string): Promise<number> {
  const since = performance.now();
  for (;;) {
    const outcome = await verifier.verify(token).catch((error: unknown) => error);
    if (outcome instanceof TokenRevoked) return performance.now() - since;
    if (outcome instanceof Error) throw outcome;
    await sleep(2);
  }
}

const isActive = async (replica: TestService, token: string) =>
  (await identityClients(replica, 'gRPC').tokens.introspectToken({ token })).active;

describe('RefreshToken', () => {
  it.each(TRANSPORTS)(
    'over %s: the next tokens, the same again for a retry, and neither is good for ever',
    async (name) => {
      const { accessToken, refreshToken, session } = await signIn();
      const { tokens } = identityClients(replicas[0], name);
      const other = identityClients(replicas[1], name).tokens;
      const next = await tokens.refreshToken({ refreshToken, device: DEVICE });
      expect(next).toMatchObject({ tokenType: 'Bearer', sessionId: session?.id, userId: session?.userId });
      expect(await other.refreshToken({ refreshToken, device: DEVICE })).toEqual(next);
      expect(await verifier.verify(next.accessToken)).toMatchObject({ sessionId: session?.id });

      const third = await other.refreshToken({ refreshToken: next.refreshToken, device: DEVICE });
      const error = await failure(tokens.refreshToken({ refreshToken, device: DEVICE }));
      expect([error.code, reasonOf(error)]).toEqual([Code.Unauthenticated, 'INVALID_REFRESH_TOKEN']);
      for (const token of [accessToken, next.accessToken, third.accessToken]) {
        expect(await isActive(replicas[0], token)).toBe(false);
        expect(await isActive(replicas[1], token)).toBe(false);
        expect(await untilRefused(token)).toBeLessThan(1000);
      }
      expect((await failure(tokens.refreshToken({ refreshToken: third.refreshToken }))).code).toBe(
        Code.Unauthenticated,
      );
    },
  );

  it.each(['', 'opaque', 'a.b.c'])('no refresh token: %j', async (refreshToken) => {
    const { tokens } = identityClients(replicas[0], 'gRPC');
    const error = await failure(tokens.refreshToken({ refreshToken, device: DEVICE }));
    expect([error.code, reasonOf(error)]).toEqual([Code.Unauthenticated, 'INVALID_REFRESH_TOKEN']);
  });

  it('a text that is too long, and an address that is none, are named', async () => {
    const { tokens } = identityClients(replicas[0], 'gRPC');
    const error = await failure(
      tokens.refreshToken({ refreshToken: 'x'.repeat(513), device: { ipAddress: 'nowhere' } }),
    );
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.message).toContain('refresh_token');
    expect(error.message).toContain('device.ip_address');
  });
});

describe('a verifier that watches another replica', () => {
  it('refuses the tokens of a session within a second of its end', async () => {
    const { accessToken } = await signIn();
    await verifier.verify(accessToken);
    await identityClients(replicas[0], 'gRPC').auth.signOut({ accessToken, device: DEVICE });
    expect(await untilRefused(accessToken)).toBeLessThan(1000);
  });
});

describe('signing keys', () => {
  const keysOf = (replica: TestService) => createClient(SigningKeyService, replica.transport('gRPC'));
  const currentKid = async (replica: TestService) =>
    (await keysOf(replica).listSigningKeys({})).keys.find(({ state }) => state === SigningKeyState.CURRENT)
      ?.kid;

  it('are rotated too early by force only; what was signed before goes on', async () => {
    const { accessToken } = await signIn();
    const error = await failure(keysOf(replicas[0]).rotateSigningKeys({}));
    expect([error.code, reasonOf(error)]).toEqual([Code.FailedPrecondition, 'NEXT_KEY_TOO_NEW']);
    const { keys } = await keysOf(replicas[0]).rotateSigningKeys({ force: true, requestId: 'rotate-1' });
    expect(
      (await keysOf(replicas[1]).rotateSigningKeys({ force: true, requestId: 'rotate-1' })).keys,
    ).toEqual(keys);
    const after = await signIn();
    expect(decodeProtectedHeader(after.accessToken).kid).toBe(await currentKid(replicas[1]));
    for (const token of [accessToken, after.accessToken]) {
      expect(await isActive(replicas[1], token)).toBe(true);
      await verifier.verify(token);
    }
  });

  it('that are revoked are believed nowhere any more, and the session goes on with another', async () => {
    const { accessToken, refreshToken } = await signIn();
    await verifier.verify(accessToken);
    const kid = decodeProtectedHeader(accessToken).kid ?? '';
    const { keys } = await keysOf(replicas[0]).revokeSigningKey({ kid, reason: 'leaked', actor: 'ada' });
    expect(keys.map((key) => key.kid)).not.toContain(kid);
    for (const replica of replicas) expect(await isActive(replica, accessToken)).toBe(false);
    expect(await untilRefused(accessToken)).toBeLessThan(1000);
    const { tokens } = identityClients(replicas[1], 'gRPC');
    const next = await tokens.refreshToken({ refreshToken, device: DEVICE });
    expect(decodeProtectedHeader(next.accessToken).kid).not.toBe(kid);
    await verifier.verify(next.accessToken);
    expect((await failure(keysOf(replicas[0]).revokeSigningKey({ kid }))).code).toBe(Code.NotFound);
    expect((await failure(keysOf(replicas[0]).revokeSigningKey({ kid: 'x' }))).code).toBe(
      Code.InvalidArgument,
    );
  });
});
