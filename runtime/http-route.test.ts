import { hash } from 'node:crypto';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import { Code } from '@connectrpc/connect';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { problemAnswer } from '../clients/http/problem.ts';
import { collectingLogger } from '../testing/collecting-logger.ts';
import { type RunningEcho, startEcho } from '../testing/echo-service.ts';
import { CallerKeys } from './caller-auth.ts';
import { AccessControl } from './callers/access-control.ts';
import { CallerDirectory } from './callers/caller-directory.ts';
import { ConfiguredKeys } from './callers/configured-keys.ts';
import { Policy } from './callers/policy.ts';
import { rpcError } from './errors.ts';
import type { RouteRequest } from './http-route.ts';
import { RoutePipeline } from './http-route-pipeline.ts';
import { InFlight } from './in-flight.ts';

const PATH = '/door';
const ENTRY = `GET ${PATH}`;
const DOMAIN = 'door.test';

class Known extends Error {}

/** An HTTP port with one guarded route, whose callers are the owners of two keys. */
async function startDoor(answer: (request: RouteRequest) => Promise<string> | string) {
  const { logger, entries } = collectingLogger();
  const keys = ['opener', 'other'].map((name) => `${name}=${hash('sha256', `${name}-key`)}`);
  const scopes = ['doors.open', 'doors.see'];
  const entriesOfKeys = keys.map((entry, index) => `${entry};${scopes[index]}`).join(',');
  const policy = new Policy({ rpcs: { [ENTRY]: 'doors.open', See: 'doors.see' }, defaultScopes: [] });
  const configured = new ConfiguredKeys(CallerKeys.parse(entriesOfKeys), policy, 'KEYS');
  const access = new AccessControl({
    domain: DOMAIN,
    policy,
    authenticator: new CallerDirectory({ configured, managed: undefined, file: () => undefined }),
    adminRpcs: true,
  });
  const routes = new RoutePipeline({
    domain: DOMAIN,
    logger,
    accessLog: 'all',
    access,
    inFlight: new InFlight(),
    mapError: (error) =>
      error instanceof Known
        ? rpcError(Code.Unavailable, { message: 'later', reason: 'LATER', domain: DOMAIN })
        : undefined,
  });
  const echo = await startEcho({
    corsOrigins: ['https://app.example.com'],
    http: {
      guardedRoutes: {
        [PATH]: routes.wrap({
          policyEntry: ENTRY,
          answer: async (request) => ({
            status: 200,
            headers: { 'x-seen': request.method },
            body: await answer(request),
          }),
          refuse: (error) =>
            problemAnswer({ status: 500, title: Code[error.code], detail: error.rawMessage }),
        }),
      },
    },
  });
  return { echo, entries };
}

let asked: ((request: RouteRequest) => Promise<string> | string) | undefined;
let door: { readonly echo: RunningEcho; readonly entries: readonly Readonly<Record<string, unknown>>[] };
beforeAll(async () => {
  door = await startDoor((request) => asked?.(request) ?? 'open');
});
afterAll(async () => {
  await door.echo[Symbol.asyncDispose]();
});
afterEach(() => {
  asked = undefined;
});

const KEY = { 'x-optix-authorization': 'Bearer opener-key' };

const ask = async (headers: Record<string, string> = KEY, init: RequestInit = {}, query = '') =>
  await fetch(`${door.echo.httpUrl}${PATH}${query}`, { ...init, headers });

/** The answer to a request whose headers may be there twice. */
async function askRaw(headers: http.OutgoingHttpHeaders | readonly string[]) {
  const request = http.request(`${door.echo.httpUrl}${PATH}`, { headers });
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    request.on('response', resolve).on('error', reject).end();
  });
  let body = '';
  for await (const chunk of response) body += String(chunk);
  return { status: response.statusCode, body };
}

describe('a guarded route', () => {
  it.each(['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PURGE'])(
    'answers %s as any method',
    async (method) => {
      const response = await ask(KEY, { method });
      expect([response.status, await response.text()]).toEqual([200, 'open']);
      expect(response.headers.get('x-seen')).toBe(method);
      expect(response.headers.get('content-length')).toBe('4');
    },
  );

  it('answers HEAD with the length of what it leaves out', async () => {
    const response = await ask(KEY, { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
    expect(response.headers.get('content-length')).toBe('4');
  });

  it('sees the query as it was sent, and all values of a header', async () => {
    const seen: unknown[] = [];
    asked = (request) => {
      seen.push(request.query, request.header('authorization'), request.header('x-none'));
      return '';
    };
    await ask(KEY, {}, '?a=%31&a=2?');
    const twice = ['authorization', 'Bearer a', 'Authorization', 'Bearer b'];
    await askRaw(['host', 'door', ...Object.entries(KEY).flat(), ...twice]);
    expect(seen).toEqual(['a=%31&a=2?', [], [], '', ['Bearer a', 'Bearer b'], []]);
  });

  it('does not wait for a body, nor mind one', async () => {
    const body = 'x'.repeat(2_000_000);
    for (let times = 0; times < 3; times += 1) {
      expect((await ask(KEY, { method: 'POST', body })).status).toBe(200);
    }
    const endless = http.request(`${door.echo.httpUrl}${PATH}`, { method: 'POST', headers: KEY });
    endless.on('error', () => undefined).write('x');
    const response = await new Promise<http.IncomingMessage>((resolve) => endless.once('response', resolve));
    expect(response.statusCode).toBe(200);
    endless.destroy();
  });

  it('is nothing for pages of other origins', async () => {
    const origin = { ...KEY, origin: 'https://app.example.com', 'access-control-request-method': 'GET' };
    const response = await ask(origin, { method: 'OPTIONS' });
    expect(response.status).toBe(200);
    expect([...response.headers.keys()].filter((name) => /^(access-control-|vary)/.test(name))).toEqual([]);
  });

  it('answers over HTTP/2 too', async () => {
    const session = http2.connect(door.echo.httpUrl);
    const request = session.request({ ':path': `${PATH}?x`, ...KEY });
    const status = new Promise((resolve) => {
      request.once('response', (headers) => resolve(headers[':status']));
    });
    let body = '';
    for await (const chunk of request) body += String(chunk);
    expect([await status, body]).toEqual([200, 'open']);
    session.close();
  });

  it.each(['constructor', '__proto__', 'toString'])(
    'is not taken for %s, which HTTP/2 lets be a path',
    async (path) => {
      const session = http2.connect(door.echo.httpUrl);
      const request = session.request({ ':scheme': 'door', ':path': path });
      const status = await new Promise((resolve) => {
        request.once('response', (headers) => resolve(headers[':status'])).resume();
      });
      session.close();
      expect(status).toBe(404);
      expect(door.echo.log.filter(({ msg }) => msg === 'unexpected error')).toEqual([]);
    },
  );

  it('is told when its peer leaves, and nothing is said of it but one line', async () => {
    const left = Promise.withResolvers<void>();
    const came = Promise.withResolvers<void>();
    asked = async ({ signal }) => {
      came.resolve();
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      left.resolve();
      throw signal.reason;
    };
    const before = door.entries.length;
    const request = http.request(`${door.echo.httpUrl}${PATH}`, { headers: KEY });
    request.on('error', () => undefined).end();
    await came.promise;
    request.destroy();
    await left.promise;
    await expect.poll(() => door.entries.slice(before)).toMatchObject([{ msg: 'call', code: 'canceled' }]);
  });
});

describe('the caller of a guarded route', () => {
  const UNKNOWN = 'Unauthenticated';
  it.each([
    ['without a credential', {}, UNKNOWN],
    ['with a key that nobody has', { 'x-optix-authorization': 'Bearer nobody' }, UNKNOWN],
    [
      'with its key in the header of the request it asks about',
      { authorization: 'Bearer opener-key' },
      UNKNOWN,
    ],
    [
      'with two credentials',
      { 'x-optix-authorization': ['Bearer opener-key', 'Bearer opener-key'] },
      UNKNOWN,
    ],
    ['without the scope', { 'x-optix-authorization': 'Bearer other-key' }, 'PermissionDenied'],
  ])('is refused %s, and the route is not asked', async (_, headers, code) => {
    let count = 0;
    asked = () => {
      count += 1;
      return '';
    };
    const { status, body } = await askRaw(headers as http.OutgoingHttpHeaders);
    expect(status).toBe(500);
    expect(JSON.parse(body)).toMatchObject({ title: code });
    expect(body).not.toMatch(/other-key|opener-key|nobody/);
    expect(count).toBe(0);
  });
});

describe('the log', () => {
  const lastLine = async (headers: Record<string, string>) => {
    const before = door.entries.length;
    await ask(headers);
    await expect.poll(() => door.entries.length).toBeGreaterThan(before);
    return door.entries.slice(before);
  };

  it('has a line for each request, with the caller, and an id that the answer has too', async () => {
    expect(await lastLine({ ...KEY, 'x-request-id': 'r-1' })).toMatchObject([
      {
        ...{ msg: 'call', rpc: ENTRY, protocol: 'http', code: 'ok', status: 200 },
        ...{ caller: 'opener', peer: '127.0.0.1', request_id: 'r-1' },
      },
    ]);
    expect((await ask({ ...KEY, 'x-request-id': 'r-2' })).headers.get('x-request-id')).toBe('r-2');
    expect((await ask({ ...KEY, 'x-request-id': 'r 2' })).headers.get('x-request-id')).toMatch(/^[\w-]{36}$/);
    // Not a second one, for what no handler was reached by.
    expect(door.echo.log.filter(({ msg, path }) => msg === 'request refused' && path === PATH)).toEqual([]);
  });

  it('names who was refused', async () => {
    const other = { 'x-optix-authorization': 'Bearer other-key' };
    expect(await lastLine(other)).toMatchObject([
      { code: 'permission_denied', caller: 'other', status: 500 },
    ]);
  });

  it('has the errors that the service knows as what they are, others as internal with their cause', async () => {
    asked = () => {
      throw new Known();
    };
    expect(await lastLine(KEY)).toMatchObject([{ code: 'unavailable', error: 'later' }]);
    asked = () => {
      throw new Error('secret detail');
    };
    const response = await ask();
    expect(await response.text()).not.toContain('secret detail');
    await expect
      .poll(() => door.entries.slice(-2))
      .toMatchObject([{ msg: 'unexpected error', err: { message: 'secret detail' } }, { code: 'internal' }]);
  });
});
