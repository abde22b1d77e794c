import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import { NODE_COMPILE_CACHE } from '../testing/compile-cache.ts';
import { type IdentityRpcs, identityRpcs } from './identity-rpcs.ts';

/** Identity as a process of its own, which can be killed. */
export interface KillableIdentity extends AsyncDisposable {
  readonly rpcs: IdentityRpcs;
  /** Sends SIGKILL: the process does nothing more. */
  kill(): void;
  /** Asks it to end, as an operator does. */
  stop(): void;
  /** When the process is gone. */
  readonly ended: Promise<unknown>;
}

interface Ports {
  readonly grpc_port: number;
  readonly http_port: number;
}

/** Starts it on free ports, and waits until it has its database. */
export async function startKillableIdentity(
  env: Readonly<Record<string, string>>,
): Promise<KillableIdentity> {
  const main = fileURLToPath(new URL('../services/identity/main.ts', import.meta.url));
  const child = spawn(process.execPath, [main], {
    env: {
      PATH: process.env['PATH'] ?? '',
      NODE_COMPILE_CACHE,
      IDENTITY_GRPC_PORT: '0',
      IDENTITY_HTTP_PORT: '0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  const ports = await new Promise<Ports>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      const entry = JSON.parse(line) as Partial<Ports> & { readonly msg?: string };
      if (entry.msg === 'serving') resolve(entry as Ports);
    });
    void ended.then(() => reject(new Error('identity ended before it served')));
  });
  while (!(await fetch(`http://127.0.0.1:${ports.http_port}/health`)).ok) await sleep(20);
  const transport = createGrpcTransport({ address: `127.0.0.1:${ports.grpc_port}` });
  return {
    rpcs: identityRpcs(transport),
    kill: () => void child.kill('SIGKILL'),
    stop: () => void child.kill('SIGTERM'),
    ended,
    async [Symbol.asyncDispose]() {
      transport[Symbol.dispose]();
      child.kill('SIGKILL');
      await ended;
    },
  };
}
