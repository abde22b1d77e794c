import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@connectrpc/connect';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Authorization } from '../gen/envoy/service/auth/v3/external_auth_pb.ts';
import { keyDigest } from '../runtime/callers/caller-key.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { testRedisUrl } from '../testing/redis.ts';
import { startTestIdentity, type TestService, type TransportName } from '../testing/services.ts';
import {
  type Asked,
  bodyOf,
  deniedHeaders,
  Gateway,
  statusOf,
  upstreamHeaders,
} from './ext-authz-gateway.ts';
import { FactorUser } from './factor-user.ts';
import { type IdentityRpcs, identityRpcs } from './identity-rpcs.ts';

const RULES = `
rules:
- {paths: [/public/*, /status], token: none}
- {paths: [/closed], token: deny}
- {paths: [/maybe], token: optional}
- {paths: [/admin, /admin/*], roles: [admin]}
- {paths: [/vault/*], acr: aal2}
- {paths: [/fresh], max_age: 1s}
`;

const FORGED = {
  'x-auth-user-id': 'root',
  'x-auth-session-id': 'forged',
  'x-auth-roles': 'admin',
  'x-auth-acr': 'aal2',
  'x-auth-time': '9999999999',
  x_auth_roles: 'admin',
  'x-auth_user-id': 'root',
  'x-request-id': '7',
};

describe('Envoy asks identity', () => {
  const directory = mkdtempSync(join(tmpdir(), 'e2e-ext-authz-'));
  const rulesFile = join(directory, 'access.yaml');
  let database: TestDatabase;
  let replicas: readonly [TestService, TestService];
  let rpcs: IdentityRpcs;
  let gateway: Gateway;
  beforeAll(async () => {
    writeFileSync(rulesFile, RULES);
    database = await createTestDatabase();
    const env = {
      DATABASE_URL: database.url,
      REDIS_URL: testRedisUrl(),
      RATE_LIMIT_ENABLED: 'false',
      ACCESS_RULES_FILE: rulesFile,
    };
    replicas = [await startTestIdentity(env), await startTestIdentity(env)];
    // What changes happens on another replica than the one that is asked.
    rpcs = identityRpcs(replicas[1].transport('gRPC'));
    gateway = new Gateway(replicas[0].grpcAddress);
    await signUp();
  });
  afterAll(async () => {
    gateway[Symbol.dispose]();
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  let user: FactorUser;
  let token: string;
  let refreshToken: string;
  /** A new user, for tests that change what the user may do. */
  async function signUp(): Promise<void> {
    user = await FactorUser.register(rpcs, database.url);
    ({ accessToken: token, refreshToken } = await user.authenticate());
  }

  /** How long it takes until a token gets this answer, in milliseconds. */
  async function until(status: number, asked: Asked): Promise<number> {
    const since = performance.now();
    while ((await gateway.status(asked)) !== status) await sleep(2);
    return performance.now() - since;
  }

  it('a good token goes on, with its user told to the upstream and nothing that the client says of it', async () => {
    const authorization = `bearer ${token}`;
    const sent = { authorization, ...FORGED };
    const answer = await gateway.check({ headers: sent });
    expect(statusOf(answer)).toBe(200);
    const { sid, auth_time } = decodeJwt(token);
    expect(upstreamHeaders(sent, answer)).toEqual({
      authorization,
      'x-request-id': '7',
      'x-auth-user-id': user.id,
      'x-auth-session-id': sid,
      'x-auth-roles': 'user',
      'x-auth-acr': 'aal1',
      'x-auth-time': String(auth_time),
    });
    const { user_id, session_id, roles, acr } = answer.dynamic_metadata?.fields ?? {};
    expect([user_id?.stringValue, session_id?.stringValue, acr?.stringValue]).toEqual([user.id, sid, 'aal1']);
    expect(roles?.listValue?.values).toMatchObject([{ stringValue: 'user' }]);
  });

  it('the same token again is answered the same, also after a request with forged headers', async () => {
    const plain = await gateway.check({ token });
    await gateway.check({ token, headers: FORGED });
    expect(await gateway.check({ token })).toEqual(plain);
    expect(plain.ok_response?.headers_to_remove).toEqual([]);
  });

  it('nobody goes on as nobody', async () => {
    for (const asked of [{ path: '/public/x' }, { path: '/public/x', token }, { path: '/maybe' }]) {
      const answer = await gateway.check({ ...asked, headers: FORGED });
      expect(statusOf(answer)).toBe(200);
      expect(upstreamHeaders(FORGED, answer)).toEqual({ 'x-request-id': '7' });
      expect(answer.dynamic_metadata).toBeNull();
    }
  });

  it('raw headers are read as well as the map', async () => {
    const raw = [{ key: 'authorization', raw_value: Buffer.from(`Bearer ${token}`) }];
    expect(await gateway.status({ raw })).toBe(200);
    expect(await gateway.status({ raw: [{ key: 'authorization', value: `Bearer ${token}` }] })).toBe(200);
    expect(await gateway.status({ raw: [{ key: 'x_auth_roles', value: 'admin' }] })).toBe(401);
    const twice = await gateway.check({ raw: [...raw, ...raw] });
    expect(bodyOf(twice)).toMatchObject({ status: 401, error: 'invalid_request' });
    const forged = await gateway.check({ raw: [...raw, { key: 'x_auth_roles', value: 'admin' }] });
    expect(forged.ok_response?.headers_to_remove).toEqual(['x_auth_roles']);
  });

  it.each([
    ['no token', {}, 'token_missing', 'Bearer realm="optix"'],
    ['no header at all', { raw: [] }, 'token_missing', 'Bearer realm="optix"'],
    ['another scheme', { headers: { authorization: 'Basic YTpi' } }, 'token_missing', 'Bearer realm="optix"'],
    ['two tokens', { headers: { authorization: 'Bearer a,Bearer b' } }, 'invalid_request', undefined],
    ['no text after the scheme', { headers: { authorization: 'Bearer' } }, 'invalid_request', undefined],
    ['a text that is no token', { token: 'opaque' }, 'invalid_token', undefined],
    ['a token of nobody', { token: 'eyJhbGciOiJub25lIn0.e30.' }, 'invalid_token', undefined],
    ['a huge token', { token: 'x'.repeat(20_000) }, 'invalid_token', undefined],
  ])('%s: 401 with a challenge and a problem', async (_, asked: Asked, error, challenge) => {
    const answer = await gateway.check(asked);
    expect(statusOf(answer)).toBe(401);
    const headers = deniedHeaders(answer);
    expect(headers['www-authenticate']).toContain(challenge ?? `Bearer realm="optix", error="${error}"`);
    expect(headers).toMatchObject({
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
    });
    expect(bodyOf(answer)).toMatchObject({ status: 401, error });
  });

  it('a token is refused within a second of its sign-out on another replica', async () => {
    await signUp();
    expect(await gateway.status({ token })).toBe(200);
    await rpcs.auth.signOut({ accessToken: token });
    expect(await until(401, { token })).toBeLessThan(1000);
    expect(bodyOf(await gateway.check({ token }))).toMatchObject({ error: 'invalid_token' });
  });

  it('a token is refused within a second of its user being suspended', async () => {
    await signUp();
    expect(await gateway.status({ token })).toBe(200);
    await rpcs.users.suspendUser({ id: user.id });
    expect(await until(401, { token })).toBeLessThan(1000);
  });

  it('roles are the current ones, by route: of the file, of the gateway, and of both', async () => {
    await signUp();
    const admin = { token, path: '/admin/users' };
    const byGateway = { token, context: { roles: 'premium,admin' } };
    const both = { ...admin, context: { roles: 'premium' } };
    const refused = await gateway.check(admin);
    expect(statusOf(refused)).toBe(403);
    expect(deniedHeaders(refused)['www-authenticate']).toContain('error="insufficient_scope"');
    expect(bodyOf(refused)).toMatchObject({ status: 403, error: 'insufficient_scope' });
    expect(await gateway.status(byGateway)).toBe(403);
    await rpcs.users.updateUserRoles({ id: user.id, roles: ['user', 'admin'] });
    // A token with the old roles is revoked; its session goes on.
    expect(await until(401, admin)).toBeLessThan(1000);
    const { accessToken } = await rpcs.tokens.refreshToken({ refreshToken, device: user.device });
    expect(await gateway.status({ ...admin, token: accessToken })).toBe(200);
    expect(await gateway.status({ ...byGateway, token: accessToken })).toBe(200);
    expect(await gateway.status({ ...both, token: accessToken })).toBe(403);
    expect(await gateway.status({ path: '/admin/users' })).toBe(401);
  });

  it('a gateway may open a route that no rule is about, and none that a rule closes', async () => {
    const context = { token: 'none' };
    expect(await gateway.status({ path: '/orders', context })).toBe(200);
    expect(await gateway.status({ path: '/admin/x', context })).toBe(401);
    expect(await gateway.status({ path: '/closed', context, token })).toBe(403);
    expect(await gateway.status({ path: '/status', context: { token: 'required' } })).toBe(401);
  });

  it('a second factor, or a fresh authentication, is asked for by a step-up challenge', async () => {
    await signUp();
    const weak = await gateway.check({ token, path: '/vault/keys' });
    expect(statusOf(weak)).toBe(401);
    expect(deniedHeaders(weak)['www-authenticate']).toMatch(
      /error="insufficient_user_authentication",.* acr_values="aal2"$/,
    );
    await user.enrol(token);
    const { accessToken } = await user.signIn();
    expect(await gateway.status({ token: accessToken, path: '/vault/keys' })).toBe(200);
    expect(await gateway.status({ token: accessToken, path: '/fresh' })).toBe(200);
    await sleep(2100);
    const old = await gateway.check({ token: accessToken, path: '/fresh' });
    expect(deniedHeaders(old)['www-authenticate']).toMatch(/ max_age="1"$/);
    const context = { acr: 'aal2', max_age: '1h' };
    expect(await gateway.status({ token: accessToken, context })).toBe(200);
  });

  it.each([
    '/%61dmin',
    '//admin',
    '/public/../admin',
    '/public/%2e%2e/admin',
    '/admin/.',
    '/admin;x',
    '/public/..;/admin',
    '/ADMIN',
    '/Admin/Users/',
    '//x/admin',
  ])('%s is the administration, however it is written', async (path) => {
    expect(await gateway.status({ path, token })).toBe(403);
    expect(await gateway.status({ path: `${path}?x=/public/` })).toBe(401);
  });

  it.each([
    '/public/..%2fadmin',
    '/public/..%5cadmin',
    '/public\\..\\admin',
    '/public/%00',
    '/public/%zz',
    '/public/#',
    '*',
    '',
  ])('%j can not be read safely: nobody gets through', async (path) => {
    for (const asked of [{}, { token }, { context: { token: 'none' } }]) {
      const answer = await gateway.check({ path, ...asked });
      expect(statusOf(answer)).toBe(403);
      expect(bodyOf(answer)).toMatchObject({ error: 'unsafe_path' });
    }
  });

  it('over HTTP it is answered the same', async () => {
    const request = {
      attributes: { request: { http: { path: '/x', headers: { authorization: `Bearer ${token}` } } } },
    };
    const ask = async (name: TransportName) =>
      await createClient(Authorization, replicas[0].transport(name)).check(request);
    const answer = await ask('HTTP');
    expect(answer.httpResponse.case).toBe('okResponse');
    expect(answer).toEqual(await ask('gRPC'));
  });

  it('what a gateway asks for and can not be read closes the route, and is logged without the token', async () => {
    for (const context of [{ role: 'admin' }, { token: 'yes' }, { roles: 'root' }, { max_age: '15' }]) {
      const answer = await gateway.check({ path: '/public/x', token, context });
      expect(statusOf(answer)).toBe(500);
    }
    const told = await gateway.check({ path: '/public/x', token, context: { role: 'admin' } });
    expect(bodyOf(told)['detail']).toContain('"role" is no known parameter');
    const lines = replicas[0].log.filter(({ msg }) => String(msg).includes("a gateway's configuration"));
    expect(lines).toMatchObject([{ level: 50, problem: '"role" is no known parameter' }]);
    expect(JSON.stringify(replicas[0].log)).not.toContain(token);
  });

  it('the rules hold as they are in the file, a bad one of which changes nothing', async () => {
    try {
      writeFileSync(rulesFile, RULES.replace('/status', '/state'));
      await until(200, { path: '/state' });
      expect(await gateway.status({ path: '/status' })).toBe(401);
      writeFileSync(rulesFile, 'rules: [{token: none, path: [/]}]');
      const refused = () =>
        replicas[0].log.some(({ msg }) => String(msg).includes('access rules file is refused'));
      await expect.poll(refused, { timeout: 5000 }).toBe(true);
      expect(await gateway.status({ path: '/status' })).toBe(401);
      expect(await gateway.status({ path: '/state' })).toBe(200);
    } finally {
      writeFileSync(rulesFile, RULES);
    }
    await until(200, { path: '/status' });
  });
});

it('a gateway without a key of its own, or with one for something else, is answered nothing', async () => {
  await using database = await createTestDatabase();
  await using service = await startTestIdentity({
    DATABASE_URL: database.url,
    RATE_LIMIT_ENABLED: 'false',
    IDENTITY_CALLER_KEYS: `edge=${keyDigest('key-1')};tokens.introspect,desk=${keyDigest('key-2')};users.read`,
  });
  for (const [key, outcome] of [
    [undefined, { code: 16 }],
    ['key-2', { code: 7 }],
  ] as const) {
    using gateway = new Gateway(service.grpcAddress, key);
    await expect(gateway.check({ context: { token: 'none' } })).rejects.toMatchObject(outcome);
  }
  using gateway = new Gateway(service.grpcAddress, 'key-1');
  expect(await gateway.status({ context: { token: 'none' } })).toBe(200);
  // Without a file a token is required, whatever the path.
  expect(await gateway.status({ path: '/a%2fb' })).toBe(401);
});
