import { EventEmitter, on, once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, type ConnectError, createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EchoService } from '../../gen/optix/testing/v1/echo_service_pb.ts';
import { type RunningEcho, startEcho } from '../../testing/echo-service.ts';
import { failure } from '../../testing/failure.ts';
import { createGrpcTransport } from './grpc-transport.ts';

function connect(options: { readonly address: string }) {
  return createClient(EchoService, createGrpcTransport(options));
}

async function collect<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const message of messages) all.push(message);
  return all;
}

/** A port on which nothing listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

let echo: RunningEcho;
beforeAll(async () => {
  echo = await startEcho();
});
afterAll(async () => {
  await echo[Symbol.asyncDispose]();
});

describe('a stream that fails before it is read', () => {
  it('throws the failure when reading starts, where no server is', async () => {
    const answers = connect({ address: `127.0.0.1:${await freePort()}` }).repeat({ text: 'x', count: 1 });
    await sleep(300);
    expect((await failure(collect(answers))).code).toBe(Code.Unavailable);
  });

  it("throws the server's error when reading starts", async () => {
    const answers = connect({ address: echo.grpcAddress }).repeat({ text: 'bug', count: 1 });
    await sleep(300);
    expect((await failure(collect(answers))).code).toBe(Code.Internal);
  });

  it('throws what kept the call from starting', async () => {
    const answers = connect({ address: echo.grpcAddress }).repeat({}, { signal: AbortSignal.abort() });
    await sleep(50);
    expect((await failure(collect(answers))).code).toBe(Code.Canceled);
  });
});

describe('the source of the request messages', () => {
  /** Refused by the echo service, which ends the call with INVALID_ARGUMENT. */
  const refused = { text: 'x'.repeat(65) };

  it('is the cause of the cancellation where it fails', async () => {
    const onFire = new Error('disk on fire');
    async function* failing() {
      yield { text: 'a' };
      throw onFire;
    }
    const client = connect({ address: echo.grpcAddress });
    for (const call of [client.join(failing()), collect(client.chat(failing()))]) {
      const error: ConnectError = await failure(call);
      expect([error.code, error.cause]).toEqual([Code.Canceled, onFire]);
    }
  });

  it('is released where it waits when the server ends the call', async () => {
    const emitter = new EventEmitter();
    const waiting = on(emitter, 'message');
    let asked = 0;
    let released = 0;
    const source: AsyncIterable<{ text: string }> = {
      [Symbol.asyncIterator]: () => ({
        async next() {
          asked += 1;
          if (asked === 1) return { done: false, value: refused };
          const { done } = await waiting.next();
          return { done: done ?? false, value: { text: 'late' } };
        },
        async return() {
          released += 1;
          await waiting.return?.();
          return { done: true, value: undefined };
        },
      }),
    };
    const client = connect({ address: echo.grpcAddress });
    expect((await failure(collect(client.chat(source)))).code).toBe(Code.InvalidArgument);
    await expect.poll(() => [asked, released, emitter.listenerCount('message')]).toEqual([2, 1, 0]);
  });

  it('is released where it goes on when the server ends the call', async () => {
    let released = false;
    async function* endless() {
      try {
        for (;;) {
          yield refused;
          await sleep(1);
        }
      } finally {
        released = true;
      }
    }
    const client = connect({ address: echo.grpcAddress });
    expect((await failure(collect(client.chat(endless())))).code).toBe(Code.InvalidArgument);
    await expect.poll(() => released).toBe(true);
  });

  it("does not change the server's answer by failing after it", async () => {
    async function* failing() {
      yield refused;
      await sleep(200);
      throw new Error('too late');
    }
    const client = connect({ address: echo.grpcAddress });
    expect((await failure(collect(client.chat(failing())))).code).toBe(Code.InvalidArgument);
    await sleep(250);
  });
});
