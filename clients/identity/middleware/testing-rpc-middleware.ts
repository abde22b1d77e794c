import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, Code, createClient, type ServiceImpl } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { EchoService } from '../../../gen/optix/testing/v1/echo_service_pb.ts';
import { failure } from '../../../testing/failure.ts';
import { createGrpcTransport } from '../../grpc/grpc-transport.ts';
import { VerifierTests } from '../testing-verifiers.ts';
import type { TokenVerifier } from '../token-verifier.ts';
import type { VerifiedToken } from '../verified-token.ts';
import type { CallAuthenticationOptions, MethodRequirement } from './call-authentication.ts';

/** Reads whose call it is, as the framework's handlers do. */
type Who = (context: Parameters<ServiceImpl<typeof EchoService>['echo']>[1]) => VerifiedToken | undefined;

/** Serves these handlers over gRPC behind the framework's interceptor. */
export type StartRpcServer = (
  options: CallAuthenticationOptions,
  handlers: (who: Who) => ServiceImpl<typeof EchoService>,
) => Promise<AsyncDisposable & { readonly port: number }>;

/** Every method tells whose call it is, after it has let others run in between. */
const handlersOf = (who: Who): ServiceImpl<typeof EchoService> => ({
  async echo(_request, context) {
    await sleep(Math.random() * 5);
    return { text: who(context)?.userId ?? 'nobody' };
  },
  async *repeat({ count }, context) {
    for (let sent = 0; sent < count; sent += 1) {
      yield { text: who(context)?.userId ?? 'nobody' };
      await sleep(Math.random() * 5);
    }
  },
  async join(requests, context) {
    const users: string[] = [];
    for await (const _ of requests) users.push(who(context)?.userId ?? 'nobody');
    return { text: users.join() };
  },
  async *chat(requests, context) {
    for await (const _ of requests) yield { text: who(context)?.userId ?? 'nobody' };
  },
});

const REQUIRED: Readonly<Record<string, MethodRequirement>> = {
  Repeat: { roles: ['admin'] },
  Join: { acr: 'aal2', maxAgeSeconds: 300 },
};

/** What every RPC framework's interceptor does, seen from a client. */
export function describeRpcMiddleware(start: StartRpcServer): void {
  let tests: VerifierTests;
  const resources = new AsyncDisposableStack();
  /** Required but for methods named in `required`. */
  let required: Readonly<Record<string, MethodRequirement>> = {};
  let echo: Client<typeof EchoService>;
  beforeAll(async () => {
    tests = resources.use(await VerifierTests.start());
    echo = await serve(await tests.connectFresh());
  });
  afterAll(() => resources.disposeAsync());

  async function serve(verifier: TokenVerifier): Promise<Client<typeof EchoService>> {
    const requirementOf = (path: string) => required[path.slice('/optix.testing.v1.EchoService/'.length)];
    const server = resources.use(await start({ verifier, realm: 'shop', requirementOf }, handlersOf));
    const transport = resources.use(createGrpcTransport({ address: `127.0.0.1:${server.port}` }));
    return createClient(EchoService, transport);
  }

  const withToken = async (claims: Readonly<Record<string, unknown>> = {}) => ({
    headers: { authorization: `Bearer ${await tests.service.issue({ claims })}` },
  });
  async function collect(answers: AsyncIterable<{ readonly text: string }>): Promise<string[]> {
    const texts: string[] = [];
    for await (const { text } of answers) texts.push(text);
    return texts;
  }
  async function* spaced(count: number) {
    for (let sent = 0; sent < count; sent += 1) {
      await sleep(Math.random() * 5);
      yield { text: 'x' };
    }
  }
  const now = () => Math.floor(Date.now() / 1000);

  test('handlers of every kind know whose call it is, among many at once', async () => {
    required = {};
    await Promise.all(
      Array.from({ length: 25 }, async () => {
        const sub = crypto.randomUUID();
        const call = await withToken({ sub });
        const answers = await Promise.all([
          echo.echo({}, call).then(({ text }) => [text]),
          collect(echo.repeat({ count: 4 }, call)),
          echo.join(spaced(4), call).then(({ text }) => text.split(',')),
          collect(echo.chat(spaced(4), call)),
        ]);
        expect(answers.map((texts) => texts.length)).toEqual([1, 4, 4, 4]);
        expect(new Set(answers.flat())).toEqual(new Set([sub]));
      }),
    );
  });

  describe('a call ends', () => {
    test.each([
      ['without a token', undefined, 'Bearer realm="shop"'],
      ['with another scheme', 'Basic YTpi', 'Bearer realm="shop"'],
      ['with a malformed header', 'Bearer a b', 'error="invalid_request"'],
      ['with a made-up token', 'Bearer made-up', 'error="invalid_token"'],
      ['with one that is too long', `Bearer ${'x'.repeat(9000)}`, 'error="invalid_token"'],
    ])('%s', async (_, authorization, challenge) => {
      required = {};
      const call = authorization === undefined ? {} : { headers: { authorization } };
      for (const calling of [echo.echo({}, call), collect(echo.chat(spaced(20), call))]) {
        const error = await failure(calling);
        expect(error.code).toBe(Code.Unauthenticated);
        expect(error.metadata.get('www-authenticate')).toContain(challenge);
        expect(error.rawMessage).not.toContain('made-up');
      }
    });

    test('once the session has ended', async () => {
      const sid = crypto.randomUUID();
      const call = await withToken({ sid });
      await echo.echo({}, call);
      tests.service.revoke({ case: 'sessionId', value: sid }, 'signed_out');
      await vi.waitFor(async () => {
        expect((await failure(echo.echo({}, call))).rawMessage).toBe('the access token was revoked');
      }, 1000);
    });

    test('where the user has none of the method’s roles', async () => {
      required = REQUIRED;
      const error = await failure(collect(echo.repeat({ count: 1 }, await withToken())));
      expect(error.code).toBe(Code.PermissionDenied);
      expect(error.metadata.get('www-authenticate')).toContain('error="insufficient_scope"');
      const texts = await collect(echo.repeat({ count: 1 }, await withToken({ roles: ['admin'] })));
      expect(texts).toHaveLength(1);
    });

    test('where the user has to authenticate again', async () => {
      required = REQUIRED;
      const weak = await withToken({ acr: 'aal1', auth_time: now() });
      const error = await failure(echo.join(spaced(1), weak));
      expect(error.code).toBe(Code.Unauthenticated);
      expect(error.metadata.get('www-authenticate')).toMatch(
        /error="insufficient_user_authentication".*, acr_values="aal2", max_age="300"$/,
      );
      const { text } = await echo.join(spaced(1), await withToken({ acr: 'aal2', auth_time: now() }));
      expect(text).not.toBe('nobody');
    });

    test('where what the method requires is misspelt', async () => {
      required = { Echo: { role: 'admin' } as MethodRequirement };
      expect((await failure(echo.echo({}, await withToken({ roles: ['admin'] })))).code).toBe(Code.Internal);
    });
  });

  test('a method may be open to nobody, and look at tokens or not', async () => {
    required = { Echo: 'none', Chat: 'optional' };
    const sub = crypto.randomUUID();
    const made = { headers: { authorization: 'Bearer made-up' } };
    expect((await echo.echo({}, made)).text).toBe('nobody');
    expect((await echo.echo({}, await withToken({ sub }))).text).toBe('nobody');
    expect(await collect(echo.chat(spaced(1)))).toEqual(['nobody']);
    expect(await collect(echo.chat(spaced(1), await withToken({ sub })))).toEqual([sub]);
    expect((await failure(collect(echo.chat(spaced(1), made)))).code).toBe(Code.Unauthenticated);
  });

  test('while identity is not heard, calls are told to come again', async () => {
    required = {};
    const other = await serve(await tests.connectFresh({ whenStale: 'reject', staleAfterMs: 300 }));
    const call = await withToken();
    const succeeds = () => vi.waitFor(async () => await other.echo({}, call), 5000);
    await succeeds();
    tests.service.down();
    const error = await vi.waitFor(async () => await failure(other.echo({}, call)), 5000);
    expect([error.code, error.metadata.get('retry-after')]).toEqual([Code.Unavailable, '1']);
    tests.service.up();
    await succeeds();
  });
}
