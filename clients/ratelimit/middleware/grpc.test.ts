import { createClient } from '@connectrpc/connect';
import { Server, ServerCredentials, type ServerInterceptor } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EchoService } from '../../../gen/optix/testing/v1/echo_service_pb.ts';
import { mountOnGrpc } from '../../../runtime/grpc-mount.ts';
import { serviceTable } from '../../../runtime/service-table.ts';
import { failure } from '../../../testing/failure.ts';
import { createGrpcTransport } from '../../grpc/grpc-transport.ts';
import { authenticate, currentIdentity } from '../../identity/middleware/grpc.ts';
import type { VerifiedToken } from '../../identity/verified-token.ts';
import type { LimitAnswer } from '../limiter.ts';
import { type GrpcLimitOptions, type GrpcRequest, limitCalls } from './grpc.ts';
import { byUser } from './keys.ts';
import { atOneTime, perMinute, startTestLimits, type TestLimits } from './testing-middleware.ts';
import { rpcInterceptorSpec, type StartEcho, texts } from './testing-rpc.ts';

async function start(interceptors: ServerInterceptor[], echo: Parameters<StartEcho>[1]) {
  const server = new Server({ interceptors });
  mountOnGrpc(server, serviceTable(EchoService, echo));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const transport = createGrpcTransport({ address: `127.0.0.1:${port}` });
  const close = async () => {
    transport[Symbol.dispose]();
    server.forceShutdown();
  };
  return { client: createClient(EchoService, transport), close };
}

const quiet = { onError: () => undefined };

describe('grpc-js', () => {
  rpcInterceptorSpec(async (options, echo) => await start([limitCalls({ ...options, ...quiet })], echo));

  describe('also', () => {
    const resources = new AsyncDisposableStack();
    let limits: TestLimits;
    beforeAll(async () => {
      limits = resources.use(await startTestLimits());
    });
    afterAll(() => resources.disposeAsync());

    async function serving(options: Partial<GrpcLimitOptions>, ...before: ServerInterceptor[]) {
      let handled = 0;
      const { limiter } = limits;
      const key = byUser<GrpcRequest>(({ metadata }) => metadata.get('x-user').join());
      const interceptor = limitCalls({ limiter, endpoint: 'api', key, ...quiet, ...options });
      const { client, close } = await start([...before, interceptor], {
        async echo({ text }) {
          handled += 1;
          return { text };
        },
        async *repeat() {
          yield { text: '' };
        },
        join: async () => ({ text: '' }),
        async *chat() {
          yield { text: '' };
        },
      });
      resources.defer(close);
      return { client, handled: () => handled };
    }

    it('counts whom an interceptor before it has authenticated', async () => {
      const verifier = {
        verify: async (userId: string) => ({ userId, roles: [] }) as unknown as VerifiedToken,
      };
      const { client } = await serving(
        { endpoint: await limits.rule(perMinute(1)), key: byUser(() => currentIdentity()?.userId) },
        authenticate({ verifier }),
      );
      const echo = async (user: string) =>
        await client.echo({ text: user }, { headers: { authorization: `Bearer ${user}` } });
      const outcomes = await Promise.allSettled(['ada', 'grace', 'ada', 'grace'].map(echo));
      expect(outcomes.map(({ status }) => status)).toEqual([
        'fulfilled',
        'fulfilled',
        'rejected',
        'rejected',
      ]);
    });

    it('gives back what a call took that was given up while the limiter was asked', async () => {
      const endpoint = await limits.rule(atOneTime(1));
      const asked = Promise.withResolvers<LimitAnswer>();
      const goOn = Promise.withResolvers<void>();
      const { limiter } = limits;
      const slow = {
        check: async (check: Parameters<typeof limiter.check>[0]) => {
          const answer = await limiter.check(check);
          asked.resolve(answer);
          await goOn.promise;
          return answer;
        },
        refund: (receipt: string) => limiter.refund(receipt),
      };
      const { client, handled } = await serving({ endpoint, limiter: slow });
      const controller = new AbortController();
      const { signal } = controller;
      const call = failure(client.echo({ text: 'a' }, { signal, headers: { 'x-user': 'ada' } }));
      expect((await asked.promise).allowed).toBe(true);
      controller.abort();
      await call;
      // Over the same connection: the server knows of the first's end when this is answered.
      await client.join(texts());
      goOn.resolve();
      const remaining = async () =>
        (await limiter.peek({ endpoint, identifier: 'user:ada' })).decision?.remaining;
      await expect.poll(remaining).toBe(1);
      expect(handled()).toBe(0);
    });

    it('tells what was thrown, and callers nothing of it', async () => {
      const errors: unknown[] = [];
      const secret = new Error('of the table users');
      const { client } = await serving({
        key: () => {
          throw secret;
        },
        onError: (error) => errors.push(error),
      });
      const error = await failure(client.echo({ text: 'a' }));
      expect(error.rawMessage).toBe('the rate limit could not be checked');
      expect(errors).toEqual([secret]);
    });
  });
});
