import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { VerifierTests } from '../testing-verifiers.ts';
import type { TokenVerifier } from '../token-verifier.ts';
import type { VerifiedToken } from '../verified-token.ts';
import type { Requirement } from './requirement.ts';

/** What routes answer with. */
export function whose(identity: VerifiedToken | undefined): { readonly user: string } {
  return { user: identity?.userId ?? 'nobody' };
}

/** What `GET /transfers` requires. */
export const TRANSFERS: Requirement = { acr: 'aal2', maxAgeSeconds: 300 };

/**
 * An application that answers `whose()`, with the header `x-before` set before anything is authenticated:
 * `/orders` needs a token, `/orders/admin` the role `admin` or `owner` beside, `/transfers` {@link TRANSFERS}, `/open`
 * nothing; `/forgotten` requires an identity though nothing authenticates.
 */
export type StartApp = (
  verifier: Pick<TokenVerifier, 'verify'>,
) => Promise<AsyncDisposable & { readonly port: number }>;

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
}

/** What every framework's middleware does, seen from a client. */
export function describeHttpMiddleware(startApp: StartApp): void {
  let tests: VerifierTests;
  let app: Awaited<ReturnType<StartApp>>;
  beforeAll(async () => {
    tests = await VerifierTests.start();
    app = await startApp(await tests.connectFresh());
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
    await tests[Symbol.asyncDispose]();
  });

  const get = (path: string, ...authorization: string[]) => getFrom(app.port, path, ...authorization);

  /** Sends each of the values as a header of its own. */
  async function getFrom(port: number, path: string, ...authorization: string[]): Promise<Answer> {
    const headers = authorization.flatMap((value) => ['authorization', value]);
    const sent = request({
      ...{ host: '127.0.0.1', port, path, agent: false },
      headers: ['host', 'localhost', ...headers],
    }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const content = await text(response);
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: content.startsWith('{') ? (JSON.parse(content) as Record<string, unknown>) : {},
    };
  }

  const bearer = async (claims: Readonly<Record<string, unknown>> = {}) =>
    `Bearer ${await tests.service.issue({ claims })}`;
  const now = () => Math.floor(Date.now() / 1000);

  describe('a good token', () => {
    test('makes the request its user’s', async () => {
      const sub = crypto.randomUUID();
      expect(await get('/orders', await bearer({ sub }))).toMatchObject({ status: 200, body: { user: sub } });
    });

    test('may come with its scheme in any case', async () => {
      const [, token] = (await bearer()).split(' ');
      expect((await get('/orders', `bEARER ${token}`)).status).toBe(200);
    });

    test('of many users at once is never taken for another’s', async () => {
      const users = Array.from({ length: 50 }, () => crypto.randomUUID());
      const answers = await Promise.all(
        users.map(async (sub) => await get('/orders', await bearer({ sub }))),
      );
      expect(answers.map(({ body }) => body['user'])).toEqual(users);
    });
  });

  describe('without a good token', () => {
    const refused = (challenge: string, body: object) => ({
      ...{ status: 401, body: { status: 401, title: 'Unauthorized', ...body } },
      headers: {
        'www-authenticate': expect.stringMatching(challenge) as string,
        'content-type': expect.stringMatching(/^application\/problem\+json/) as string,
        'cache-control': 'no-store',
      },
    });

    test('a request is told to bring one, without naming an error', async () => {
      expect(await get('/orders')).toMatchObject(
        refused('^Bearer realm="shop"$', { error: 'token_missing' }),
      );
    });

    test('another scheme is none', async () => {
      expect(await get('/orders', 'Basic YTpi')).toMatchObject(
        refused('^Bearer realm="shop"$', { error: 'token_missing' }),
      );
    });

    test.each([['Bearer'], ['Bearer '], ['Bearer a b'], ['Bearer a,b'], ['']])(
      'a malformed header is an invalid request: %j',
      async (authorization) => {
        expect(await get('/orders', authorization)).toMatchObject(
          refused('^Bearer realm="shop", error="invalid_request", ', { error: 'invalid_request' }),
        );
      },
    );

    test('two headers are an invalid request, whichever of them is good', async () => {
      const good = await bearer();
      for (const pair of [
        [good, good],
        [good, 'Bearer x'],
        ['Basic YTpi', good],
        [good, 'Basic YTpi'],
      ]) {
        expect(await get('/orders', ...pair)).toMatchObject({
          ...{ status: 401, body: { error: 'invalid_request' } },
        });
      }
    });

    test('one that ran out, was made up, or is too long is an invalid token', async () => {
      const expired = await bearer({ exp: now() - 60 });
      expect(await get('/orders', expired)).toMatchObject(
        refused('error="invalid_token", error_description="the access token has expired"$', {
          error: 'invalid_token',
        }),
      );
      for (const token of [`${await bearer()}x`, 'Bearer made-up', `Bearer ${'x'.repeat(9000)}`]) {
        const answer = await get('/orders', token);
        expect(answer).toMatchObject(refused('error="invalid_token"', { error: 'invalid_token' }));
        expect(JSON.stringify(answer)).not.toContain(token.slice(7));
      }
    });

    test('one whose session ended is an invalid token', async () => {
      const sid = crypto.randomUUID();
      const token = await bearer({ sid });
      expect((await get('/orders', token)).status).toBe(200);
      tests.service.revoke({ case: 'sessionId', value: sid }, 'signed_out');
      await vi.waitFor(async () => expect((await get('/orders', token)).status).toBe(401), 1000);
      expect((await get('/open', token)).body).toMatchObject({ error: 'invalid_token' });
    });
  });

  describe('a token that is optional', () => {
    test('is read where it is there', async () => {
      const sub = crypto.randomUUID();
      expect((await get('/open', await bearer({ sub }))).body).toEqual({ user: sub });
      expect((await get('/open')).body).toEqual({ user: 'nobody' });
      expect((await get('/open', 'Basic YTpi')).body).toEqual({ user: 'nobody' });
    });

    test('has to be good all the same', async () => {
      expect((await get('/open', 'Bearer made-up')).status).toBe(401);
      expect((await get('/open', await bearer(), await bearer())).status).toBe(401);
    });

    test('leaves a route that requires an identity closed to nobody', async () => {
      expect(await get('/open/mine')).toMatchObject({ status: 401, body: { error: 'token_missing' } });
      expect((await get('/open/mine', await bearer())).status).toBe(200);
    });
  });

  describe('a route that requires more', () => {
    test('is for those who have one of the roles', async () => {
      expect(await get('/orders/admin', await bearer({ roles: ['user'] }))).toMatchObject({
        ...{ status: 403, body: { title: 'Forbidden', error: 'insufficient_scope' } },
        headers: { 'www-authenticate': expect.stringContaining('error="insufficient_scope"') as string },
      });
      for (const role of ['admin', 'owner']) {
        expect((await get('/orders/admin', await bearer({ roles: ['user', role] }))).status).toBe(200);
      }
    });

    test.each([
      ['the level is too low', () => ({ acr: 'aal1', auth_time: now() })],
      ['the level is not told', () => ({ auth_time: now() })],
      ['it was too long ago', () => ({ acr: 'aal2', auth_time: now() - 302 })],
      ['the time is not told', () => ({ acr: 'aal2' })],
    ])('has its user authenticate again where %s', async (_, claims) => {
      const answer = await get('/transfers', await bearer(claims()));
      expect(answer).toMatchObject({
        ...{ status: 401, body: { error: 'insufficient_user_authentication' } },
        headers: {
          'www-authenticate': expect.stringContaining('acr_values="aal2", max_age="300"') as string,
        },
      });
      expect(answer.headers['www-authenticate']).toContain('error="insufficient_user_authentication"');
    });

    test('lets those through who did', async () => {
      const token = await bearer({ acr: 'aal2', auth_time: now() - 290 });
      expect((await get('/transfers', token)).status).toBe(200);
    });

    test('fails where nothing authenticates before it, and stays closed', async () => {
      expect((await get('/forgotten', await bearer())).status).toBe(500);
    });
  });

  test('headers that were set before are kept on a refusal', async () => {
    expect((await get('/orders')).headers['x-before']).toBe('kept');
  });

  test('while identity is not heard, requests are told to come again', async () => {
    const impatient = await tests.connectFresh({ whenStale: 'reject', staleAfterMs: 300 });
    await using other = await startApp(impatient);
    const token = await bearer();
    const becomes = async (status: number): Promise<Answer> =>
      await vi.waitFor(async () => {
        const answer = await getFrom(other.port, '/orders', token);
        expect(answer.status).toBe(status);
        return answer;
      }, 5000);
    await becomes(200);
    tests.service.down();
    expect(await becomes(503)).toMatchObject({
      headers: { 'retry-after': '1' },
      body: { title: 'Service Unavailable', error: 'temporarily_unavailable' },
    });
    expect((await getFrom(other.port, '/open')).status).toBe(200);
    tests.service.up();
    await becomes(200);
  });
}
