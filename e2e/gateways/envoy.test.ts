import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createGrpcTransport } from '../../clients/grpc/grpc-transport.ts';
import {
  RateLimitResponse_Code as Code,
  type RateLimitResponse,
  RateLimitService,
} from '../../gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { findGateway, type RunningGateway, startGateway } from '../../testing/gateways.ts';
import { Gateway, statusOf } from '../ext-authz-gateway.ts';
import { adapted, configurationOf } from './configuration.ts';
import { contextOf, descriptorsOf, type EnvoyRoutes } from './envoy-actions.ts';
import { GATEWAY_KEY, type ProtectedStack, startProtectedStack } from './protected-stack.ts';
import { newClient, seenBy, send } from './send.ts';

const CONFIGURATION = configurationOf('envoy')['envoy.yaml'] ?? '';
const LIMITS = fileURLToPath(new URL('../../deploy/envoy/ratelimit/', import.meta.url));
/** Of an address on /reports/, a minute, and of a user. */
const REPORTS = 5;
const BY_USER = 300;

interface HttpFilter {
  readonly name: string;
  readonly typed_config: { readonly domain?: string };
}

/** The http_connection_manager of the file. */
function connectionManager() {
  const file = parse(CONFIGURATION) as {
    readonly static_resources: { readonly listeners: readonly Listener[] };
  };
  const filter = file.static_resources.listeners[0]?.filter_chains[0]?.filters[0];
  if (filter === undefined) throw new Error('there is no http_connection_manager');
  return filter.typed_config;
}
interface Listener {
  readonly filter_chains: readonly {
    readonly filters: readonly {
      readonly typed_config: {
        readonly http_filters: readonly HttpFilter[];
        readonly route_config: { readonly virtual_hosts: readonly [EnvoyRoutes] };
      };
    }[];
  }[];
}

let stack: ProtectedStack;
beforeAll(async () => {
  stack = await startProtectedStack({ RATELIMIT_ENVOY_CONFIG: LIMITS });
});
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
});

/** Units end at whole minutes of the clock; what is counted within a test has to fall in one. */
async function withinOneMinute(): Promise<void> {
  const left = 60_000 - (Date.now() % 60_000);
  if (left < 4_000) await sleep(left + 50);
}

describe('what the configuration of Envoy asks', () => {
  const { http_filters, route_config } = connectionManager();
  const [host] = route_config.virtual_hosts;
  const domain = http_filters.find(({ name }) => name === 'envoy.filters.http.ratelimit')?.typed_config
    .domain;

  /** The request as it is after ext_authz let it go on, to the limiter. */
  async function asked(path: string, token: string | undefined, remoteAddress: string, hitsAddend = 1) {
    using identity = new Gateway(stack.identity.grpcAddress, GATEWAY_KEY);
    const sent = { path, context: contextOf(host, path), ...(token === undefined ? {} : { token }) };
    const answer = await identity.check(sent);
    if (statusOf(answer) !== 200) return statusOf(answer);
    const fields = Object.entries(answer.dynamic_metadata?.fields ?? {});
    const metadata = Object.fromEntries(fields.map(([name, { stringValue = '' }]) => [name, stringValue]));
    const descriptors = descriptorsOf(host, {
      headers: { ':path': path },
      remoteAddress,
      metadata: { 'envoy.filters.http.ext_authz': metadata },
    });
    using transport = createGrpcTransport({ address: stack.ratelimit.grpcAddress, apiKey: GATEWAY_KEY });
    const limiter = createClient(RateLimitService, transport);
    return await limiter.shouldRateLimit({ domain: domain ?? '', descriptors, hitsAddend });
  }
  const told = (answer: number | RateLimitResponse) =>
    typeof answer === 'number'
      ? answer
      : [answer.overallCode, answer.statuses.map(({ currentLimit }) => currentLimit?.name)];

  it('is limited by user and by address, and by address alone where nobody is signed in', async () => {
    const { token } = await stack.signIn();
    expect(told(await asked('/orders', token, newClient()))).toEqual([Code.OK, ['by_user', 'by_address']]);
    expect(told(await asked('/assets/a.svg', undefined, newClient()))).toEqual([Code.OK, ['by_address']]);
    expect(told(await asked('/orders', undefined, newClient()))).toBe(401);
    expect(told(await asked('/admin/users', token, newClient()))).toBe(403);
  });

  it('is over the limit of the path once that is used up, and of the user', async () => {
    await withinOneMinute();
    const { token } = await stack.signIn();
    const address = newClient();
    const all = ['by_user', 'by_address', 'reports'];
    for (let times = 0; times < REPORTS; times += 1) {
      expect(told(await asked(`/reports/${times}?q`, token, address))).toEqual([Code.OK, all]);
    }
    expect(told(await asked('/reports/x', token, address))).toEqual([Code.OVER_LIMIT, all]);
    expect(told(await asked('/orders', token, address, BY_USER - REPORTS))).toEqual([
      Code.OK,
      ['by_user', 'by_address'],
    ]);
    expect(told(await asked('/orders', token, newClient()))).toEqual([
      Code.OVER_LIMIT,
      ['by_user', 'by_address'],
    ]);
  });

  it('knows an address that has a limit of its own', async () => {
    expect(told(await asked('/assets/', undefined, '198.51.100.7'))).toEqual([
      Code.OK,
      ['by_address_of_the_office'],
    ]);
  });
});

// Debian has no Envoy: where one is on PATH, it is held to the same.
describe.skipIf(findGateway('envoy') === undefined)('Envoy before a service', () => {
  let gateway: RunningGateway;
  interface Places {
    readonly identity?: string;
    readonly ratelimit?: string;
    readonly key?: string;
  }
  const start = async ({ identity, ratelimit, key = GATEWAY_KEY }: Places = {}) => {
    const port = (address: string) => `port_value: ${address.split(':')[1]}`;
    const file = (own: number) =>
      adapted(CONFIGURATION, {
        '0.0.0.0, port_value: 80 ': `127.0.0.1, port_value: ${own} `,
        'port_value: 50051': port(identity ?? stack.identity.grpcAddress),
        'port_value: 50052': port(ratelimit ?? stack.ratelimit.grpcAddress),
        'port_value: 8080': port(stack.upstream.address),
        'port_value: 8090': port(stack.upstream.address),
      });
    return await startGateway({
      program: 'envoy',
      files: (own) => ({ 'envoy.yaml': file(own) }),
      args: ['-c', 'envoy.yaml', '--concurrency', '1', '--disable-hot-restart'],
      env: () => ({ OPTIX_IDENTITY_KEY: key, OPTIX_RATELIMIT_KEY: key }),
    });
  };
  beforeAll(async () => {
    gateway = await start();
  });
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
  });

  it('tells the upstream whose request it is, and nothing that the client says of it', async () => {
    const { id, token } = await stack.signIn();
    const forged = { 'x-auth-user-id': 'forged', x_auth_user_id: 'forged', 'x-auth-roles': 'forged' };
    const answer = await send(gateway, { path: '/orders?x=%2F', token, headers: forged, from: newClient() });
    expect(answer).toMatchObject({ status: 200, headers: { 'x-ratelimit-limit': expect.anything() } });
    expect(seenBy(answer)).toMatchObject({ url: '/orders?x=%2F', headers: { 'x-auth-user-id': id } });
    const nobody = await send(gateway, { path: '/assets/a.svg', headers: forged, from: newClient() });
    for (const each of [answer, nobody]) {
      expect(each.status).toBe(200);
      expect(JSON.stringify(seenBy(each).headers)).not.toMatch(/forged|key-of-the-gateway/);
    }
  });

  it('refuses as identity says, however the path is spelled', async () => {
    const { token } = await stack.signIn();
    const none = await send(gateway, { path: '/orders' });
    expect(none.status).toBe(401);
    expect(none.headers['www-authenticate']).toBe('Bearer realm="optix"');
    for (const path of ['/admin/users', '/%61dmin/users', '//admin/users', '/assets/../admin/users']) {
      expect([path, (await send(gateway, { path, token })).status]).toEqual([path, 403]);
    }
    expect((await send(gateway, { path: '/assets/..%2fadmin/users', token })).status).toBe(400);
  });

  it('limits by path and address, to the first 429', async () => {
    await withinOneMinute();
    const { token } = await stack.signIn();
    const from = newClient();
    const statuses = [];
    for (let times = 0; times <= REPORTS; times += 1) {
      const headers = { 'x-forwarded-for': `192.0.2.${times}` };
      statuses.push((await send(gateway, { path: `/reports/${times}`, token, from, headers })).status);
    }
    expect(statuses).toEqual([...Array.from({ length: REPORTS }, () => 200), 429]);
  });

  it('lets nothing through while a service is away, or with a key of its own that is wrong', async () => {
    const { token } = await stack.signIn();
    const nowhere = '127.0.0.1:1';
    for (const places of [{ identity: nowhere }, { ratelimit: nowhere }, { key: 'wrong' }]) {
      await using other = await start(places);
      const before = stack.upstream.requests();
      expect((await send(other, { path: '/orders', token })).status).toBe(503);
      expect(stack.upstream.requests()).toBe(before);
    }
  });
});
