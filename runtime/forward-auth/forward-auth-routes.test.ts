import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { problemAnswer } from '../../clients/http/problem.ts';
import { collectingLogger } from '../../testing/collecting-logger.ts';
import { failure } from '../../testing/failure.ts';
import { rpcError } from '../errors.ts';
import { type Authorize, forwardAuthRoutes, goOn } from './forward-auth-routes.ts';
import { GatewayMisconfigured } from './gateway-misconfigured.ts';
import { requestWith } from './testing-request.ts';

const ERROR_DOMAIN = 'door.test';

function routesOf(authorize: Authorize) {
  const { logger, entries } = collectingLogger();
  const routes = forwardAuthRoutes({ authorize, logger, errorDomain: ERROR_DOMAIN });
  const route = (name: 'nginx' | 'traefik') => {
    const found = routes[`/forward-auth/${name}`];
    if (found === undefined) throw new Error(`no route for ${name}`);
    return found;
  };
  return { route, entries };
}

const answerOf = (status: number) =>
  problemAnswer({ status, title: 'Title', detail: 'Detail.', headers: { 'retry-after': '7' } });

describe('an answer', () => {
  it.each([
    [200, 200],
    [401, 401],
    [403, 403],
    [429, 403],
    [503, 403],
    [500, 500],
  ])('of %i is told to nginx as %i, and in x-auth-status as what it is', async (status, told) => {
    const { route } = routesOf(async () => answerOf(status));
    const answer = await route('nginx').answer(requestWith({}));
    expect(answer.status).toBe(told);
    expect(answer.headers).toMatchObject({ 'x-auth-status': String(status), 'retry-after': '7' });
    expect(answer.body).toBe(answerOf(status).body);
  });

  it.each([200, 401, 403, 429, 500, 503])('of %i is told to Traefik as it is', async (status) => {
    const { route } = routesOf(async () => answerOf(status));
    expect(await route('traefik').answer(requestWith({}))).toEqual(answerOf(status));
  });

  it('that a request may go on is not kept by anybody', () => {
    expect(goOn({ 'x-a': 'b' })).toEqual({
      status: 200,
      headers: { 'x-a': 'b', 'cache-control': 'no-store' },
      body: '',
    });
  });
});

describe('a failure', () => {
  const { route } = routesOf(async () => answerOf(200));
  const GATEWAYS = ['nginx', 'traefik'] as const;
  const refusal = (code: Code, retryAfterMs?: number) =>
    rpcError(code, {
      ...{ message: 'why', reason: 'REASON', domain: ERROR_DOMAIN },
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });

  it.each([Code.Unauthenticated, Code.PermissionDenied, Code.FailedPrecondition, Code.Internal])(
    'of code %i is none that the client could do anything about',
    (code) => {
      for (const name of GATEWAYS) {
        const { status, headers, body } = route(name).refuse(refusal(code));
        expect(status).toBe(500);
        expect(headers).not.toHaveProperty('www-authenticate');
        expect(JSON.parse(body)).toMatchObject({ status: 500, reason: 'REASON', detail: 'why' });
      }
    },
  );

  it('to reach what is needed is 503, with the time to wait', () => {
    const answers = GATEWAYS.map((name) => route(name).refuse(refusal(Code.Unavailable, 2_500)));
    expect(answers).toMatchObject([
      { status: 403, headers: { 'retry-after': '3', 'x-auth-status': '503' } },
      { status: 503, headers: { 'retry-after': '3' } },
    ]);
    const plain = route('traefik').refuse(new ConnectError('away', Code.Unavailable));
    expect(plain).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
  });

  it('that is unknown has the id by which the log has it', () => {
    const error = rpcError(Code.Internal, {
      ...{ message: 'internal error', reason: 'INTERNAL', domain: ERROR_DOMAIN, requestId: 'r-1' },
    });
    expect(JSON.parse(route('traefik').refuse(error).body)).toMatchObject({ request_id: 'r-1' });
  });
});

describe("a mistake in the gateway's configuration", () => {
  it('is told to the gateway, and logged once a second', async () => {
    const { route, entries } = routesOf(async () => {
      throw new GatewayMisconfigured('"tokn" is no parameter here');
    });
    for (let times = 0; times < 3; times += 1) {
      const error = await failure(Promise.resolve(route('nginx').answer(requestWith({}))));
      expect(error.code).toBe(Code.FailedPrecondition);
      const { status, headers, body } = route('nginx').refuse(error);
      expect([status, headers['x-auth-status']]).toEqual([500, '500']);
      expect(JSON.parse(body)).toMatchObject({
        reason: 'GATEWAY_MISCONFIGURED',
        detail: expect.stringContaining('"tokn" is no parameter here') as string,
      });
    }
    expect(entries).toMatchObject([
      { level: 50, rpc: 'GET /forward-auth/nginx', problem: '"tokn" is no parameter here' },
    ]);
  });
});
