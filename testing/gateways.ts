import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EndStep } from '../stack/end-process.ts';
import { withLog } from '../stack/log-file.ts';
import { writePidFile } from '../stack/pid-file.ts';
import { freePort } from '../stack/ports.ts';
import { type StoreProcess, startStoreProcess } from '../stack/store-process.ts';
import { stackDirectory } from './stack-directory.ts';

/** Where Debian has servers; PATH has it for root only. */
const SBIN = '/usr/sbin';
const END: readonly EndStep[] = [
  { signal: 'SIGTERM', waitMs: 2_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
];
const READY_MS = 10_000;
const START_TRIES = 5;

/** The path of a gateway's program, as PATH or /usr/sbin has it. */
export function findGateway(name: string, path = process.env['PATH'] ?? ''): string | undefined {
  for (const directory of [...path.split(delimiter).filter(Boolean), SBIN]) {
    const file = join(directory, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not here: the next directory.
    }
  }
  return undefined;
}

/** A gateway's program and the configuration that it is started with. */
export interface GatewaySetup {
  /** For example `nginx`. */
  readonly program: string;
  /** Its files by their name in a directory of its own; `port` is the one that it has to listen on. */
  readonly files: (port: number) => Readonly<Record<string, string>>;
  /** Run in that directory. Must not make a process that outlives it. */
  readonly args: readonly string[];
  readonly env?: (port: number) => Readonly<Record<string, string>>;
  /** Further ports of 127.0.0.1 that it listens on, each named by a variable of its environment: `host:port`. */
  readonly listensToo?: readonly string[];
}

/** A gateway on 127.0.0.1, with a directory of its own. */
export interface RunningGateway extends AsyncDisposable {
  readonly port: number;
  /** What it has written so far. */
  log(): string;
}

/**
 * Starts a gateway.
 *
 * @throws Error with the end of its log where it does not come up, or where there is no such program.
 */
export async function startGateway(setup: GatewaySetup): Promise<RunningGateway> {
  const program = findGateway(setup.program);
  if (program === undefined) throw new Error(`${setup.program} is neither on PATH nor in ${SBIN}`);
  for (let tries = 1; ; tries += 1) {
    try {
      return await startOnce(program, setup);
    } catch (error) {
      // A free port can be taken by somebody else before the gateway gets to it.
      if (tries < START_TRIES && /address already in use/i.test((error as Error).message)) continue;
      throw error;
    }
  }
}

async function startOnce(
  program: string,
  { files, args, env, listensToo = [] }: GatewaySetup,
): Promise<RunningGateway> {
  const own = stackDirectory();
  const { path: directory } = own;
  const logFile = join(directory, 'gateway.log');
  const port = await freePort();
  for (const [name, content] of Object.entries(files(port))) {
    const file = join(directory, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  const further: Record<string, string> = {};
  for (const name of listensToo) further[name] = `127.0.0.1:${await freePort()}`;
  const server = startStoreProcess(program, args, {
    cwd: directory,
    logFile,
    env: { PATH: process.env['PATH'], HOME: directory, ...further, ...env?.(port) },
  });
  const end = async () => {
    await server.end(END);
    own[Symbol.dispose]();
  };
  try {
    if (server.pid !== undefined) writePidFile(join(directory, 'gateway.pid'), server.pid);
    await untilListening(server, port);
  } catch (error) {
    const report = withLog(`${program} does not start: ${(error as Error).message}`, logFile);
    await end();
    throw new Error(report, { cause: error });
  }
  return { port, log: () => readFileSync(logFile, 'utf8'), [Symbol.asyncDispose]: end };
}

async function untilListening(server: StoreProcess, port: number): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (!(await accepts(port))) {
    const how = server.ended();
    if (how !== undefined) throw new Error(how);
    if (performance.now() > deadline) throw new Error(`nothing listens on port ${port} after ${READY_MS} ms`);
    await sleep(10);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
