import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { NODE_COMPILE_CACHE } from '../testing/compile-cache.ts';

const MAIN = fileURLToPath(new URL('../services/ratelimit/main.ts', import.meta.url));

/** The rate limiter as a process that is killed, hung and started again at the same address. */
export class StoppableLimiter implements AsyncDisposable {
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #port = 0;

  constructor(env: Readonly<Record<string, string>>) {
    this.#env = env;
  }

  /** Of its gRPC API, as `host:port`; known from the first start on. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Starts it, and waits until it serves. */
  async start(): Promise<void> {
    const ports = { RATELIMIT_GRPC_PORT: String(this.#port), RATELIMIT_HTTP_PORT: '0' };
    const child = spawn(process.execPath, [MAIN], {
      env: { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE, ...ports, ...this.#env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    this.#port = await new Promise<number>((resolve, reject) => {
      createInterface(child.stdout).on('line', (line) => {
        const entry = JSON.parse(line) as { readonly msg?: string; readonly grpc_port?: number };
        if (entry.msg === 'serving' && entry.grpc_port !== undefined) resolve(entry.grpc_port);
      });
      child.once('close', () => reject(new Error('the rate limiter ended before it served')));
    });
  }

  /** Ends it without a word (SIGKILL). */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    child.kill('SIGKILL');
    await once(child, 'close');
  }

  /** Ends it as an operator does (SIGTERM): it finishes what is under way. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    child.kill('SIGTERM');
    await once(child, 'close');
  }

  /** Lets it do nothing more (SIGSTOP), with all its connections open. */
  hang(): void {
    this.#child?.kill('SIGSTOP');
  }

  /** Lets it go on after hang(). */
  goOn(): void {
    this.#child?.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
