import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { protoPath } from 'grpc-health-check';
import { describe, expect, it } from 'vitest';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import { EchoService } from '../gen/optix/testing/v1/echo_service_pb.ts';
import { type RunningEcho, startEcho } from '../testing/echo-service.ts';
import { foreignClient } from '../testing/foreign-client.ts';
import { ListenFailure } from './listen-failure.ts';

function grpcClient(echo: RunningEcho) {
  return createClient(EchoService, createGrpcTransport({ address: echo.grpcAddress }));
}

function httpClient(echo: RunningEcho) {
  return createClient(EchoService, createConnectTransport({ baseUrl: echo.httpUrl, httpVersion: '1.1' }));
}

async function outcome(call: Promise<unknown>): Promise<unknown> {
  return await call.then(
    () => 'ok',
    (error: unknown) => ConnectError.from(error).code,
  );
}

describe('shutdown', () => {
  it('lets calls in flight finish on both transports and refuses new ones', async () => {
    const echo = await startEcho();
    const calls = [grpcClient(echo), httpClient(echo)].map((client) =>
      client.echo({ text: 'made it', behaviour: 'slow' }),
    );
    await sleep(100);
    const started = performance.now();
    await echo[Symbol.asyncDispose]();
    expect(performance.now() - started).toBeLessThan(1500);
    expect((await Promise.all(calls)).map(({ text }) => text)).toEqual(['made it', 'made it']);
    expect(await outcome(grpcClient(echo).echo({}, { timeoutMs: 500 }))).toBe(Code.Unavailable);
    expect(await outcome(httpClient(echo).echo({}))).toBe(Code.Unavailable);
  });

  it('cuts off calls that outlast the time-out', async () => {
    const echo = await startEcho({ shutdownTimeoutMs: 200 });
    const calls = [grpcClient(echo), httpClient(echo)].map((client) =>
      outcome(client.echo({ behaviour: 'hang' })),
    );
    await expect.poll(() => echo.hanging()).toBe(2);
    const started = performance.now();
    await echo[Symbol.asyncDispose]();
    expect(performance.now() - started).toBeGreaterThanOrEqual(190);
    expect(performance.now() - started).toBeLessThan(1500);
    expect(await Promise.all(calls)).not.toContain('ok');
    // Their callers are told at once, not by a time-out of their own.
    expect(performance.now() - started).toBeLessThan(2500);
    expect(echo.log.some((entry) => entry['msg'] === 'calls in flight were cut off')).toBe(true);
  });

  it('ends streams at once, with UNAVAILABLE', async () => {
    const echo = await startEcho({ shutdownTimeoutMs: 5000 });
    let received = 0;
    const reading = (async () => {
      for await (const _ of grpcClient(echo).repeat({ text: 'x', count: 0 })) received += 1;
    })();
    const ended = outcome(reading);
    await expect.poll(() => received).toBeGreaterThan(2);
    const started = performance.now();
    await echo[Symbol.asyncDispose]();
    expect(performance.now() - started).toBeLessThan(2000);
    expect(await ended).toBe(Code.Unavailable);
  });

  it('answers what it was sent on a stream, and ends it well', async () => {
    const echo = await startEcho({ shutdownTimeoutMs: 5000 });
    const answers: string[] = [];
    const left = Promise.withResolvers<void>();
    const asking = async function* () {
      yield { text: 'asked' };
      await left.promise;
    };
    const reading = (async () => {
      for await (const { text } of grpcClient(echo).chat(asking())) answers.push(text);
    })();
    await expect.poll(() => answers).toEqual(['asked']);
    const started = performance.now();
    await echo[Symbol.asyncDispose]();
    expect(performance.now() - started).toBeLessThan(2000);
    expect(await outcome(reading)).toBe('ok');
    left.resolve();
  });

  it('tells health watchers NOT_SERVING first, and does not wait for them', async () => {
    const echo = await startEcho({ shutdownTimeoutMs: 5000 });
    const watcher = foreignClient(echo.grpcAddress, protoPath, ['grpc', 'health', 'v1', 'Health']);
    const seen: unknown[] = [];
    const watch = watcher['Watch']?.({ service: '' }) as unknown as NodeJS.EventEmitter;
    watch.on('data', ({ status }: { status: unknown }) => seen.push(status));
    watch.on('error', (error: Error) => seen.push(error.message));
    await expect.poll(() => seen).toEqual(['SERVING']);
    const started = performance.now();
    await echo[Symbol.asyncDispose]();
    expect(performance.now() - started).toBeLessThan(2000);
    await expect.poll(() => seen).toEqual(['SERVING', 'NOT_SERVING']);
    watcher.close();
  });
});

describe('a shutdown with idle connections', () => {
  it.each(['grpc', 'http'] as const)('does not wait for one that never said anything (%s)', async (kind) => {
    const echo = await startEcho({ shutdownTimeoutMs: 10_000 });
    const port = Number(kind === 'grpc' ? echo.grpcAddress.split(':')[1] : new URL(echo.httpUrl).port);
    const silent = connect(port, '127.0.0.1');
    silent.on('error', () => undefined);
    await once(silent, 'connect');
    const started = performance.now();
    await echo[Symbol.asyncDispose]();
    expect(performance.now() - started).toBeLessThan(3000);
    expect(echo.log.some((entry) => entry['msg'] === 'calls in flight were cut off')).toBe(false);
    silent.destroy();
  });
});

describe('a taken port', () => {
  it.each(['grpc', 'http'] as const)('is refused with one line that names the setting (%s)', async (kind) => {
    await using first = await startEcho();
    const taken = Number(kind === 'grpc' ? first.grpcAddress.split(':')[1] : new URL(first.httpUrl).port);
    const start =
      kind === 'grpc'
        ? startEcho({ grpc: { port: taken } })
        : (await import('./http-server.ts')).startHttpServer({
            address: '127.0.0.1',
            port: taken,
            portEnv: 'ECHO_HTTP_PORT',
            handler: (_, response) => response.end(),
          });
    const error: unknown = await start.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ListenFailure);
    expect((error as Error).message).toBe(
      `ECHO_${kind.toUpperCase()}_PORT: 127.0.0.1:${taken} is already in use`,
    );
  });
});
