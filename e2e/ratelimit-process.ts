import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Client, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import { RateLimitService } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { NODE_COMPILE_CACHE } from '../testing/compile-cache.ts';

/** The rate limiter as a process of its own. */
export interface RateLimitProcess extends AsyncDisposable {
  readonly client: Client<typeof RateLimitService>;
  /** Of its gRPC API, as `host:port`. */
  readonly address: string;
}

/** Starts it on free ports, and waits until it serves. */
export async function startRateLimitProcess(
  env: Readonly<Record<string, string>>,
): Promise<RateLimitProcess> {
  const main = fileURLToPath(new URL('../services/ratelimit/main.ts', import.meta.url));
  const child = spawn(process.execPath, [main], {
    env: {
      PATH: process.env['PATH'] ?? '',
      NODE_COMPILE_CACHE,
      RATELIMIT_GRPC_PORT: '0',
      RATELIMIT_HTTP_PORT: '0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  const port = await new Promise<number>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      const entry = JSON.parse(line) as { readonly msg?: string; readonly grpc_port?: number };
      if (entry.msg === 'serving' && entry.grpc_port !== undefined) resolve(entry.grpc_port);
    });
    void ended.then(() => reject(new Error('the rate limiter ended before it served')));
  });
  const address = `127.0.0.1:${port}`;
  const transport = createGrpcTransport({ address });
  return {
    address,
    client: createClient(RateLimitService, transport),
    async [Symbol.asyncDispose]() {
      transport[Symbol.dispose]();
      child.kill('SIGTERM');
      await ended;
    },
  };
}
