import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '../../clients/grpc/grpc-transport.ts';
import { AuthenticationService } from '../../gen/optix/identity/v1/authentication_service_pb.ts';
import { IdentityService } from '../../gen/optix/identity/v1/identity_service_pb.ts';
import { keyDigest } from '../../runtime/callers/caller-key.ts';
import { createTestDatabase } from '../../testing/database.ts';
import { testRedisUrl } from '../../testing/redis.ts';
import { startTestIdentity, startTestRateLimit, type TestService } from '../../testing/services.ts';
import { type EchoUpstream, startEchoUpstream } from './echo-upstream.ts';

const PASSWORD = 'correct horse battery staple';
const BACKEND_KEY = 'key-of-a-backend';
/** The gateway's own, with the scopes that it needs and no other. */
export const GATEWAY_KEY = 'key-of-the-gateway';
/** What each of the endpoints `api` and `assets` lets through. */
export const LIMIT = 3;

const RULES = `rules:
  - { name: api_default, limits: [{ limit: 100, window: 1h }] }
  - { name: api, limits: [{ limit: ${LIMIT}, window: 1h }] }
  - { name: assets, limits: [{ limit: ${LIMIT}, window: 1h }] }
`;
const ACCESS_RULES = `rules:
  - { paths: [/admin, /admin/*], roles: [admin] }
  - { paths: [/hello], token: none }
`;

type Env = Readonly<Record<string, string>>;

/** Both services, which take callers with keys only, and an upstream that a gateway is to protect by them. */
export interface ProtectedStack extends AsyncDisposable {
  readonly identity: TestService;
  readonly ratelimit: TestService;
  readonly upstream: EchoUpstream;
  /** Another identity on the same database, to be stopped by a test. */
  startIdentity(): Promise<TestService>;
  /** Another ratelimit, to be stopped by a test. */
  startRateLimit(more?: Env): Promise<TestService>;
  /** A new user who has signed in. */
  signIn(roles?: readonly ('admin' | 'user')[]): Promise<{ readonly id: string; readonly token: string }>;
  signOut(token: string): Promise<void>;
}

/** @param env further settings of the rate limiter */
export async function startProtectedStack(env: Env = {}): Promise<ProtectedStack> {
  await using resources = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), 'e2e-gateways-'));
  resources.defer(() => rmSync(directory, { recursive: true }));
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const rules = file('rules.yaml', RULES);
  const accessRules = file('access.yaml', ACCESS_RULES);
  const caller = (name: string, key: string, scopes: string) => `${name}=${keyDigest(key)};${scopes}`;

  const database = resources.use(await createTestDatabase());
  const redisUrl = testRedisUrl();
  const startRateLimit = async (more?: Env) =>
    await startTestRateLimit({
      REDIS_URL: redisUrl,
      RATELIMIT_RULES_FILE: rules,
      RATELIMIT_CALLER_KEYS: [
        caller('edge', GATEWAY_KEY, 'limits.check'),
        caller('identity', BACKEND_KEY, 'limits.check'),
      ].join(),
      ...env,
      ...more,
    });
  const ratelimit = resources.use(await startRateLimit());
  const startIdentity = async () =>
    await startTestIdentity({
      DATABASE_URL: database.url,
      RATELIMIT_ADDRESS: ratelimit.grpcAddress,
      RATELIMIT_API_KEY: BACKEND_KEY,
      RATELIMIT_TIMEOUT_MS: '2000',
      ACCESS_RULES_FILE: accessRules,
      IDENTITY_CALLER_KEYS: [
        caller('edge', GATEWAY_KEY, 'tokens.introspect'),
        caller('backend', BACKEND_KEY, 'auth;users.admin'),
      ].join(),
    });
  const identity = resources.use(await startIdentity());
  const upstream = resources.use(await startEchoUpstream());
  const transport = resources.use(
    createGrpcTransport({ address: identity.grpcAddress, apiKey: BACKEND_KEY }),
  );
  const auth = createClient(AuthenticationService, transport);
  const users = createClient(IdentityService, transport);
  const owned = resources.move();
  return {
    ...{ identity, ratelimit, upstream, startIdentity, startRateLimit },
    async signIn(roles) {
      const email = `${randomUUID()}@example.com`;
      const device = {
        ipAddress: `2001:db8:${randomUUID().slice(0, 4)}:${randomUUID().slice(0, 4)}::1`,
      };
      const { user } = await auth.register({ email, password: PASSWORD, device });
      const id = user?.id ?? '';
      if (roles !== undefined) await users.updateUserRoles({ id, roles: [...roles] });
      const { accessToken } = await auth.authenticate({ email, password: PASSWORD, device });
      return { id, token: accessToken };
    },
    async signOut(accessToken) {
      await auth.signOut({ accessToken });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
