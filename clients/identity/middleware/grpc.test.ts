import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  status,
} from '@grpc/grpc-js';
import { expect, test, vi } from 'vitest';
import { EchoService } from '../../../gen/optix/testing/v1/echo_service_pb.ts';
import { mountOnGrpc } from '../../../runtime/grpc-mount.ts';
import { serviceTable } from '../../../runtime/service-table.ts';
import type { VerifiedToken } from '../verified-token.ts';
import { authenticate, currentIdentity, type GrpcAuthenticationOptions } from './grpc.ts';
import { describeRpcMiddleware, type StartRpcServer } from './testing-rpc-middleware.ts';

async function listening(server: Server): Promise<AsyncDisposable & { readonly port: number }> {
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { port, [Symbol.asyncDispose]: async () => server.forceShutdown() };
}

const startServer: StartRpcServer = async (options, handlers) => {
  const server = new Server({ interceptors: [authenticate({ ...options, onError: () => undefined })] });
  mountOnGrpc(server, serviceTable(EchoService, handlers(currentIdentity)));
  return await listening(server);
};

describeRpcMiddleware(startServer);

const asText = { serialize: (text: string) => Buffer.from(text), deserialize: (bytes: Buffer) => `${bytes}` };
const TALK = {
  ...{ path: '/test.Talk/Talk', requestStream: true, responseStream: true },
  ...{ requestSerialize: asText.serialize, requestDeserialize: asText.deserialize },
  ...{ responseSerialize: asText.serialize, responseDeserialize: asText.deserialize },
} as const;

/** The token's text is its user's id. */
const verifier = { verify: async (userId: string) => ({ userId, roles: [] }) as unknown as VerifiedToken };
const user = () => currentIdentity()?.userId;

/** A server whose handler listens to events, as grpc-js's own streams are used. */
async function startTalk(options: Partial<GrpcAuthenticationOptions> = {}) {
  const heard: [event: string, user: string | undefined][] = [];
  const server = new Server({ interceptors: [authenticate({ verifier, ...options })] });
  server.addService(
    { talk: TALK },
    {
      talk(call: ServerDuplexStream<string, string>) {
        heard.push(['begin', user()]);
        call.on('data', (text: string) => {
          heard.push(['data', user()]);
          call.write(text);
        });
        call.on('end', () => {
          heard.push(['end', user()]);
          call.end();
        });
        call.on('cancelled', () => heard.push(['cancelled', user()]));
      },
    },
  );
  const running = await listening(server);
  const client = new Client(`127.0.0.1:${running.port}`, credentials.createInsecure());
  return {
    heard,
    talk(token: string) {
      const metadata = new Metadata();
      metadata.set('authorization', `Bearer ${token}`);
      const { requestSerialize, responseDeserialize } = TALK;
      return client.makeBidiStreamRequest(TALK.path, requestSerialize, responseDeserialize, metadata);
    },
    async [Symbol.asyncDispose]() {
      client.close();
      await running[Symbol.asyncDispose]();
    },
  };
}

test('listeners of a stream’s events know whose call it is', async () => {
  await using server = await startTalk();
  const call = server.talk('ada');
  for (const text of ['a', 'b']) {
    call.write(text);
    expect((await once(call, 'data'))[0]).toBe(text);
    await sleep(5);
  }
  call.end();
  await once(call.resume(), 'end');
  const heard = server.heard.filter(([event]) => event !== 'cancelled');
  expect(heard.map(([event]) => event)).toEqual(['begin', 'data', 'data', 'end']);
  expect(new Set(heard.map(([, whose]) => whose))).toEqual(new Set(['ada']));
  expect(currentIdentity()).toBeUndefined();
});

test('so do listeners of its cancellation', async () => {
  await using server = await startTalk();
  const call = server.talk('ada').on('error', () => undefined);
  call.write('a');
  await once(call, 'data');
  call.cancel();
  await vi.waitFor(() => expect(server.heard.at(-1)).toEqual(['cancelled', 'ada']), 2000);
});

test('a call that was given up while its token was looked at never reaches its handler', async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<VerifiedToken>();
  const slow = {
    verify(userId: string) {
      asked.resolve();
      return userId === 'ada' ? answer.promise : verifier.verify(userId);
    },
  };
  await using server = await startTalk({ verifier: slow });
  const call = server.talk('ada').on('error', () => undefined);
  await asked.promise;
  call.cancel();
  // The connection is in order: once this call is handled, the server knows of the cancellation.
  const later = server.talk('bob');
  later.write('a');
  await once(later, 'data');
  answer.resolve(await verifier.verify('ada'));
  await sleep(20);
  expect(server.heard.map(([, whose]) => whose)).not.toContain('ada');
  later.end();
  await once(later.resume(), 'end');
});

test('a bug while a call is authenticated is told of, and keeps the call out', async () => {
  const errors: unknown[] = [];
  const bug = new RangeError('a bug');
  const failing = { verify: () => Promise.reject(bug) };
  await using server = await startTalk({ verifier: failing, onError: (error) => errors.push(error) });
  const [error] = await once(server.talk('ada'), 'error', { signal: AbortSignal.timeout(2000) }).catch(
    (thrown: unknown) => [thrown],
  );
  expect(error).toMatchObject({ code: status.INTERNAL, details: 'the call could not be authenticated' });
  expect([errors, server.heard]).toEqual([[bug], []]);
});

test('such a bug is a warning of the process where nobody asked for it', async () => {
  const warned = once(process, 'warning', { signal: AbortSignal.timeout(2000) });
  const bug = new RangeError('a bug of requirementOf');
  const requirementOf = () => {
    throw bug;
  };
  await using server = await startTalk({ requirementOf });
  server.talk('ada').on('error', () => undefined);
  expect(await warned).toEqual([bug]);
});
