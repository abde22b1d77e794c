import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyDigest } from '../runtime/callers/caller-key.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import {
  askAs,
  type ClientRequest,
  GATEWAY_NAMES,
  GATEWAYS,
  newAddress,
  statusOf,
} from '../testing/forward-auth.ts';
import {
  identityClients,
  startTestIdentity,
  startTestRateLimit,
  type TestService,
} from '../testing/services.ts';

const PASSWORD = 'correct horse battery staple';
const NOWHERE = '127.0.0.1:1';
const IDENTITY_HEADERS = ['user-id', 'session-id', 'roles', 'acr', 'time'].map((name) => `x-auth-${name}`);

const RULES = `rules:
  - { name: api_default, limits: [{ limit: 100, window: 1h }] }
  - { name: pairs, limits: [{ limit: 2, window: 1h }], bypass_roles: [admin] }
`;
const ACCESS_RULES = `rules:
  - { paths: [/admin/*], roles: [admin] }
  - { hosts: [public.example], token: none }
  - { paths: [/never], token: deny }
`;

const directory = mkdtempSync(join(tmpdir(), 'optix-e2e-forward-auth-'));
const file = (name: string, text: string) => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};
let database: TestDatabase;
let limiter: TestService;
let identity: TestService;
beforeAll(async () => {
  database = await createTestDatabase();
  limiter = await startTestRateLimit({ RATELIMIT_RULES_FILE: file('rules.yaml', RULES) });
  identity = await startTestIdentity({
    DATABASE_URL: database.url,
    RATELIMIT_ADDRESS: limiter.grpcAddress,
    RATELIMIT_TIMEOUT_MS: '2000',
    ACCESS_RULES_FILE: file('access.yaml', ACCESS_RULES),
  });
});
afterAll(async () => {
  await identity[Symbol.asyncDispose]();
  await limiter[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

/** A user who is signed in. */
async function signedIn(roles?: readonly ('admin' | 'user')[]) {
  const { auth, users } = identityClients(identity, 'gRPC');
  const email = `${randomUUID()}@example.com`;
  const device = { ipAddress: newAddress() };
  const { user } = await auth.register({ email, password: PASSWORD, device });
  const id = user?.id ?? '';
  if (roles !== undefined) await users.updateUserRoles({ id, roles: [...roles] });
  const { accessToken: token, session } = await auth.authenticate({ email, password: PASSWORD, device });
  return { id, token, sessionId: session?.id ?? '' };
}

describe.each(GATEWAY_NAMES)('identity, asked by %s', (gateway) => {
  const asked = async (query: string, told?: ClientRequest) => await askAs(identity, gateway, query, told);
  const meant = async (query: string, told?: ClientRequest) => statusOf(gateway, await asked(query, told));

  it('lets a good token through and says whose it is', async () => {
    const { id, token, sessionId } = await signedIn();
    const answer = await asked('', { token });
    expect(statusOf(gateway, answer)).toBe(200);
    expect(answer.headers).toMatchObject({
      ...{
        'x-auth-user-id': id,
        'x-auth-session-id': sessionId,
        'x-auth-roles': 'user',
        'x-auth-acr': 'aal1',
      },
      ...{ 'x-auth-time': expect.stringMatching(/^\d{10}$/) as string },
      ...{ 'content-length': '0', 'cache-control': 'no-store' },
    });
    expect(answer.headers).not.toHaveProperty('x-ratelimit-limit');
  });

  it('refuses none, a bad one, two and a revoked one', async () => {
    const { token } = await signedIn();
    const none = await asked('');
    expect(statusOf(gateway, none)).toBe(401);
    expect(none.headers['www-authenticate']).toBe('Bearer realm="optix"');
    expect(none.headers['content-type']).toBe('application/problem+json');
    const bad = await asked('', { token: `${token}x` });
    expect(statusOf(gateway, bad)).toBe(401);
    expect(bad.headers['www-authenticate']).toContain('error="invalid_token"');
    expect(bad.body).not.toContain(token);
    const two = await asked('', { headers: { authorization: [`Bearer ${token}`, `Bearer ${token}`] } });
    expect(statusOf(gateway, two)).toBe(401);

    expect(await meant('', { token })).toBe(200);
    await identityClients(identity, 'gRPC').auth.signOut({ accessToken: token });
    expect(await meant('', { token })).toBe(401);
  });

  it('asks for a role, and for a second factor', async () => {
    const { token } = await signedIn();
    expect(await meant('roles=user,admin', { token })).toBe(200);
    expect(await meant('roles=admin,premium', { token })).toBe(403);
    const stepUp = await asked('acr=aal2&max_age=15m', { token });
    expect(statusOf(gateway, stepUp)).toBe(401);
    expect(stepUp.headers['www-authenticate']).toContain('error="insufficient_user_authentication"');
    expect(stepUp.headers['www-authenticate']).toContain('max_age="900"');
  });

  it('names nobody where no token is needed, so that a client can not name somebody', async () => {
    const answer = await asked('token=none', { headers: { 'x-auth-user-id': 'admin' } });
    expect(statusOf(gateway, answer)).toBe(200);
    for (const name of IDENTITY_HEADERS) expect(answer.headers[name]).toBe('');
  });

  it('heeds the rules of its own file, whatever the gateway asks for', async () => {
    const { token } = await signedIn();
    for (const uri of [
      '/admin/users',
      '/%61dmin/users',
      '//admin/users',
      '/x/../admin/users',
      '/admin;x/users',
    ]) {
      expect([uri, await meant('token=none', { uri, token })]).toEqual([uri, 403]);
    }
    expect(await meant('token=none', { uri: '/public/..%2fadmin/users', token })).toBe(403);
    expect(await meant('', { uri: '/never', token })).toBe(403);
    expect(await meant('', { host: 'PUBLIC.example.:8443' })).toBe(200);
    expect(await meant('', { host: 'private.example' })).toBe(401);
    for (const host of ['public.example, x', 'user@public.example', '[::1', ' . ']) {
      expect([host, await meant('token=none', { host })]).toEqual([host, 403]);
    }
  });

  it('counts against the user, and tells of the limit either way', async () => {
    const { token } = await signedIn();
    const again = async () => await asked('limit=pairs', { token, ip: newAddress() });
    const first = await again();
    expect(statusOf(gateway, first)).toBe(200);
    expect(first.headers).toMatchObject({ 'x-ratelimit-limit': '2', 'x-ratelimit-remaining': '1' });
    expect(first.headers['x-auth-roles']).toBe('user');
    await again();
    const denied = await again();
    expect(statusOf(gateway, denied)).toBe(429);
    expect(denied.headers).toMatchObject({
      ...{ 'x-ratelimit-remaining': '0', ratelimit: expect.stringMatching(/^"pairs";r=0;t=\d+$/) as string },
      ...{ 'content-type': 'application/problem+json' },
    });
    expect(Number(denied.headers['retry-after'])).toBeGreaterThan(3_500);
    expect(denied.headers).not.toHaveProperty('x-auth-user-id');
    expect(JSON.parse(denied.body)).toMatchObject({ status: 429, rule: 'pairs' });
  });

  it('takes nothing of a limit for a request that it refuses', async () => {
    const { token } = await signedIn();
    const query = 'limit=pairs&by=ip';
    const ip = newAddress();
    for (let times = 0; times < 5; times += 1) expect(await meant(query, { ip })).toBe(401);
    expect(await meant(query, { ip, token })).toBe(200);
  });

  it('counts against the address where there is no user, or the gateway says so', async () => {
    const ip = newAddress();
    expect(await meant('token=optional&limit=pairs', { ip })).toBe(200);
    expect(await meant('limit=pairs&by=ip', { ip, token: (await signedIn()).token })).toBe(200);
    expect(await meant('limit=pairs&by=ip', { ip, token: (await signedIn()).token })).toBe(429);
  });

  it('passes the roles on to the limiter', async () => {
    const { token } = await signedIn(['admin']);
    for (let times = 0; times < 3; times += 1) {
      const answer = await asked('limit=pairs', { token });
      expect(statusOf(gateway, answer)).toBe(200);
      expect(answer.headers['x-ratelimit-bypass']).toBe('true');
    }
  });

  it.each([
    ['tokn=none', '"tokn" is no parameter here'],
    ['token=nobody', 'token must be'],
    ['token=none&token=required', 'token is there twice'],
    ['roles=root', 'roles must be'],
    ['max_age=soon', 'max_age must be'],
    ['limit=pairs&cost=3', 'cost'],
    ['limit=pairs&by=name', 'by must be'],
  ])('opens no door for ?%s, and says what is wrong with it', async (query, problem) => {
    const { token } = await signedIn();
    const answer = await asked(query, { token });
    expect(statusOf(gateway, answer)).toBe(500);
    expect(JSON.parse(answer.body)).toMatchObject({
      reason: 'GATEWAY_MISCONFIGURED',
      detail: expect.stringContaining(problem) as string,
    });
    const calls = identity.log.filter(({ rpc, status }) => rpc === `GET /forward-auth/${gateway}` && status);
    expect(calls.at(-1)?.['error']).toContain(problem);
  });

  it('opens none for a gateway that does not tell the request', async () => {
    const { method, uri } = GATEWAYS[gateway];
    for (const name of [method, uri]) {
      const answer = await asked('token=none', { headers: { [name]: '' } });
      expect(statusOf(gateway, answer)).toBe(500);
      expect(answer.body).toContain(`${name} is not set`);
    }
  });

  it('opens none for a URI that is longer than any header may be', async () => {
    const answer = await asked('token=none', { uri: `/${'a'.repeat(12_000)}` });
    expect(statusOf(gateway, answer)).toBe(200);
    expect((await asked('token=none', { uri: `/${'a'.repeat(20_000)}` })).status).toBe(431);
  });
});

describe.each(GATEWAY_NAMES)('identity without its limiter, asked by %s', (gateway) => {
  it.each([
    ['deny', 503],
    ['allow', 200],
  ])('does as RATELIMIT_ON_UNAVAILABLE=%s says', async (policy, status) => {
    await using service = await startTestIdentity({
      DATABASE_URL: database.url,
      RATELIMIT_ADDRESS: NOWHERE,
      RATELIMIT_ON_UNAVAILABLE: policy,
    });
    const { token } = await signedIn();
    const answer = await askAs(service, gateway, 'limit=pairs', { token });
    expect(statusOf(gateway, answer)).toBe(status);
    if (status === 503) expect(answer.headers['retry-after']).toBe('1');
    expect(statusOf(gateway, await askAs(service, gateway, '', { token }))).toBe(200);
  });
});

it('a limiter that is away is logged now and then, not with each request', async () => {
  await using service = await startTestIdentity({ DATABASE_URL: database.url, RATELIMIT_ADDRESS: NOWHERE });
  const ask = async () => await askAs(service, 'traefik', 'token=none&limit=pairs');
  const answers = await Promise.all(Array.from({ length: 200 }, ask));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
  const lines = service.log.filter(({ msg }) => msg === 'the rate limiter can not be asked');
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.length).toBeLessThan(10);
});

it('a request in flight is answered while identity shuts down', async () => {
  // Takes connections and says nothing.
  const silent = createServer().listen(0, '127.0.0.1');
  const came = once(silent, 'connection') as Promise<[Socket]>;
  await once(silent, 'listening');
  const service = await startTestIdentity({
    DATABASE_URL: database.url,
    RATELIMIT_ADDRESS: `127.0.0.1:${(silent.address() as AddressInfo).port}`,
    RATELIMIT_TIMEOUT_MS: '1500',
  });
  const answer = askAs(service, 'traefik', 'token=none&limit=pairs');
  const [socket] = await came;
  await service[Symbol.asyncDispose]();
  expect((await answer).status).toBe(503);
  socket.destroy();
  silent.close();
});

describe.each(GATEWAY_NAMES)('%s itself', (gateway) => {
  const entry = (name: string, scopes: string) => `${name}=${keyDigest(`${name}-key`)};${scopes}`;
  const CALLERS = {
    identity: {
      IDENTITY_CALLER_KEYS: `${entry('edge', 'tokens.introspect')},${entry('mailer', 'users.read')}`,
    },
    limiter: { RATELIMIT_CALLER_KEYS: `${entry('edge', 'limits.check')},${entry('mailer', 'rules.read')}` },
  };

  it.each(['identity', 'limiter'] as const)('has to be a caller of %s that may ask this', async (name) => {
    await using service =
      name === 'identity'
        ? await startTestIdentity({
            DATABASE_URL: database.url,
            RATE_LIMIT_ENABLED: 'false',
            ...CALLERS.identity,
          })
        : await startTestRateLimit(CALLERS.limiter);
    const { token } = await signedIn();
    const asked = async (key?: string) =>
      await askAs(service, gateway, 'limit=pairs', {
        token,
        ip: newAddress(),
        ...(key === undefined ? {} : { key }),
      });
    expect(statusOf(gateway, await asked('edge-key'))).toBe(200);
    for (const [key, reason] of [
      [undefined, 'CALLER_UNAUTHENTICATED'],
      ['stranger-key', 'CALLER_UNAUTHENTICATED'],
      ['mailer-key', 'CALLER_NOT_PERMITTED'],
    ] as const) {
      const answer = await asked(key);
      expect(statusOf(gateway, answer)).toBe(500);
      expect(JSON.parse(answer.body)).toMatchObject({ reason });
      expect(answer.headers).not.toHaveProperty('www-authenticate');
      expect(answer.body).not.toMatch(/-key/);
    }
    const bad = { token: `${token}x`, headers: { 'x-api-key': 'planted-value' }, key: 'edge-key' };
    await askAs(service, gateway, name === 'limiter' ? 'limit=pairs&by=header:x-api-key' : '', bad);
    await askAs(service, gateway, 'tokn=none', bad);
    const logged = JSON.stringify(service.log);
    for (const secret of [token, 'edge-key', 'stranger-key', 'mailer-key', 'planted-value']) {
      expect(logged).not.toContain(secret);
    }
  });
});
