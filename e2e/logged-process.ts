import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { LogEntry } from '../testing/collecting-logger.ts';
import { NODE_COMPILE_CACHE } from '../testing/compile-cache.ts';

/** A service as a process of its own, of which every byte is kept that it writes. */
export interface LoggedProcess extends AsyncDisposable {
  readonly grpcAddress: string;
  readonly httpUrl: string;
  /** Lines of standard output and of standard error. */
  readonly lines: readonly string[];
  /** Whether there is a line of the log with this message. */
  hasLogged(message: string): boolean;
  /** Ends it without a word. */
  kill(): Promise<void>;
}

interface Ports {
  readonly grpc_port: number;
  readonly http_port: number;
}

/**
 * Starts a service on free ports, and waits until it serves.
 *
 * @throws Error with what it wrote, where it ends before that
 */
export async function startLoggedProcess(
  service: 'identity' | 'ratelimit',
  env: Readonly<Record<string, string>>,
): Promise<LoggedProcess> {
  const prefix = service.toUpperCase();
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL(`../services/${service}/main.ts`, import.meta.url))],
    {
      env: {
        PATH: process.env['PATH'] ?? '',
        NODE_COMPILE_CACHE,
        [`${prefix}_GRPC_PORT`]: '0',
        [`${prefix}_HTTP_PORT`]: '0',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const ended = once(child, 'close');
  const lines: string[] = [];
  createInterface(child.stderr).on('line', (line) => lines.push(line));
  const ports = await new Promise<Ports>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      lines.push(line);
      if (line.includes('"msg":"serving"')) resolve(JSON.parse(line) as Ports);
    });
    void ended.then(() => reject(new Error(`${service} ended before it served:\n${lines.join('\n')}`)));
  });
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  return {
    grpcAddress: `127.0.0.1:${ports.grpc_port}`,
    httpUrl: `http://127.0.0.1:${ports.http_port}`,
    lines,
    hasLogged: (message) =>
      lines.some((line) => line.startsWith('{') && (JSON.parse(line) as LogEntry)['msg'] === message),
    kill,
    [Symbol.asyncDispose]: kill,
  };
}
