import { randomUUID } from 'node:crypto';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RetryInfoSchema } from '../gen/google/rpc/error_details_pb.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { failure, reasonOf } from '../testing/failure.ts';
import { testRedisUrl } from '../testing/redis.ts';
import {
  identityClients,
  startTestIdentity,
  startTestRateLimit,
  type TestService,
  TRANSPORTS,
} from '../testing/services.ts';

const PASSWORD = 'correct horse battery staple';

describe('identity asks the rate limiter before it does any work', () => {
  let database: TestDatabase;
  let limiter: TestService;
  let identity: TestService;
  beforeAll(async () => {
    database = await createTestDatabase();
    limiter = await startTestRateLimit({ REDIS_URL: testRedisUrl() });
    identity = await startTestIdentity({
      DATABASE_URL: database.url,
      RATELIMIT_ADDRESS: limiter.grpcAddress,
      RATELIMIT_TIMEOUT_MS: '2000',
    });
  });
  afterAll(async () => {
    await identity[Symbol.asyncDispose]();
    await limiter[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  let nextAddress = 0;
  /** An address that nobody called from yet. */
  const newAddress = () => {
    nextAddress += 1;
    return `198.51.100.${nextAddress}`;
  };

  it.each(TRANSPORTS)('over %s: three registrations a minute from an address', async (transport) => {
    const { auth } = identityClients(identity, transport);
    const device = { ipAddress: newAddress() };
    const attempt = () => auth.register({ email: `${randomUUID()}@example.com`, password: PASSWORD, device });
    for (let times = 0; times < 3; times += 1) await attempt();
    const error = await failure(attempt());
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(reasonOf(error)).toBe('RATE_LIMITED');
    const [retry] = error.findDetails(RetryInfoSchema);
    expect(Number(retry?.retryDelay?.seconds)).toBeGreaterThan(40);
    expect(Number(error.metadata.get('retry-after'))).toBeGreaterThan(40);
    device.ipAddress = newAddress();
    await attempt();
  });

  it('five sign-ins a minute from an address, whoever is meant', async () => {
    const { auth } = identityClients(identity, 'gRPC');
    const device = { ipAddress: newAddress() };
    const attempt = () =>
      failure(auth.authenticate({ email: `${randomUUID()}@example.com`, password: PASSWORD, device }));
    for (let times = 0; times < 5; times += 1) expect((await attempt()).code).toBe(Code.Unauthenticated);
    expect((await attempt()).code).toBe(Code.ResourceExhausted);
  });

  it('five sign-ins a minute to an account, wherever they come from and whether it exists or not', async () => {
    const { auth } = identityClients(identity, 'gRPC');
    const email = `${randomUUID()}@example.com`;
    const attempt = (spelling: string) =>
      failure(
        auth.authenticate({ email: spelling, password: PASSWORD, device: { ipAddress: newAddress() } }),
      );
    for (let times = 0; times < 5; times += 1) expect((await attempt(email)).code).toBe(Code.Unauthenticated);
    expect((await attempt(email.toUpperCase())).code).toBe(Code.ResourceExhausted);
  });

  it('counts a call that names no address against its caller', async () => {
    const { auth } = identityClients(identity, 'HTTP');
    const attempt = () => auth.register({ email: `${randomUUID()}@example.com`, password: PASSWORD });
    for (let times = 0; times < 3; times += 1) await attempt();
    expect(reasonOf(await failure(attempt()))).toBe('RATE_LIMITED');
  });
});

describe('identity without its rate limiter', () => {
  /** Nobody listens there. */
  const NOWHERE = '127.0.0.1:1';

  it('refuses sign-ins with UNAVAILABLE, fast, and answers everything else', async () => {
    await using database = await createTestDatabase();
    await using identity = await startTestIdentity({
      DATABASE_URL: database.url,
      RATELIMIT_ADDRESS: NOWHERE,
    });
    const { auth, tokens } = identityClients(identity, 'gRPC');
    const error = await failure(auth.authenticate({ email: 'ada@example.com', password: PASSWORD }));
    expect(error.code).toBe(Code.Unavailable);
    expect(reasonOf(error)).toBe('RATE_LIMITER_UNAVAILABLE');
    expect((await tokens.getJwks({})).keys).toHaveLength(1);
  });

  it('serves them where RATELIMIT_ON_UNAVAILABLE=allow says so', async () => {
    await using database = await createTestDatabase();
    await using identity = await startTestIdentity({
      DATABASE_URL: database.url,
      RATELIMIT_ADDRESS: NOWHERE,
      RATELIMIT_ON_UNAVAILABLE: 'allow',
    });
    const { auth } = identityClients(identity, 'gRPC');
    await auth.register({ email: 'ada@example.com', password: PASSWORD });
    const { user } = await auth.authenticate({ email: 'ada@example.com', password: PASSWORD });
    expect(user?.email).toBe('ada@example.com');
  });
});
