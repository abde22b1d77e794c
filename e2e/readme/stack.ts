import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { settings as identity } from '../../services/identity/config.ts';
import { settings as ratelimit } from '../../services/ratelimit/config.ts';
import { freePort } from '../../stack/ports.ts';
import { NODE_COMPILE_CACHE } from '../../testing/compile-cache.ts';

/** `optix start` itself gives up on a service after 30 seconds. */
const START_MS = 45_000;
const PORTS = [identity.grpcPort, identity.httpPort, ratelimit.grpcPort, ratelimit.httpPort];

/** Both services and their stores, as `npm start` runs them, on free ports. */
export class Stack {
  /** The port that is used in place of each of the defaults. */
  readonly ports: ReadonlyMap<number, number>;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #output = '';

  private constructor(child: ChildProcess, ports: ReadonlyMap<number, number>) {
    this.ports = ports;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    }
    this.#ended = new Promise((resolve) => child.once('close', () => resolve()));
  }

  /**
   * Starts them and waits until they serve.
   *
   * @param options.command what npm would have its shell run: `node` and its arguments, with or without `exec`.
   * @throws Error with all that was printed where they don't serve in time.
   */
  static async start(options: {
    readonly root: string;
    readonly command: string;
    readonly dataDir: string;
  }): Promise<Stack> {
    const [program, ...args] = options.command.replace(/^exec /, '').split(' ');
    if (program !== 'node') throw new Error(`not a program for node: ${options.command}`);
    const ports = new Map<number, number>();
    const env: NodeJS.ProcessEnv = {
      PATH: process.env['PATH'],
      NODE_COMPILE_CACHE,
      OPTIX_DATA_DIR: options.dataDir,
    };
    for (const setting of PORTS) {
      // What was free a moment ago may be given out again.
      let port = await freePort();
      while ([...ports.values()].includes(port)) port = await freePort();
      ports.set(setting.fallback, port);
      env[setting.env] = String(port);
    }
    const child = spawn(process.execPath, args, {
      cwd: options.root,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const stack = new Stack(child, ports);
    await stack.#untilServing();
    return stack;
  }

  /** What was printed so far. */
  get output(): string {
    return this.#output;
  }

  async #untilServing(): Promise<void> {
    const deadline = performance.now() + START_MS;
    while (!this.#output.includes('Ctrl-C stops everything')) {
      if (performance.now() > deadline || this.#child.exitCode !== null) {
        await this.stop();
        throw new Error(`the services do not serve:\n${this.#output}`);
      }
      await sleep(50);
    }
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#ended;
  }
}
