import { spawn } from 'node:child_process';
import { createWriteStream, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DataDirectory } from './data-directory.ts';
import { type EndStep, endProcess, sendSignal } from './end-process.ts';
import { rotateLog, withLog } from './log-file.ts';
import { readableWarning } from './log-line.ts';
import { endRemembered, writePidFile } from './pid-file.ts';

export interface ServiceProcessOptions {
  name: string;
  /** The service's main file. */
  main: string;
  cwd: string;
  env: NodeJS.ProcessEnv;
  data: DataDirectory;
  /** Where GET answers 200 once the service serves. */
  healthUrl: string;
  /** How long it may take to stop by itself after SIGTERM, in milliseconds. */
  drainMs: number;
  /** Takes its warnings and errors, one readable line each. */
  say: (line: string) => void;
}

/** A service that runs as a child process, its output in `<data>/logs/<name>.log`. */
export interface ServiceProcess extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Settles, saying how, when the service ends. */
  readonly exited: Promise<string>;
  /** Settles once health is 200. Rejects, with the end of the log, where it ends before or takes too long. */
  untilServing(timeoutMs: number): Promise<void>;
  /** SIGTERM, and what follows where that does not help. */
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

const HEALTH_POLL_MS = 100;

/** Starts a service on the Node that runs this, whatever the system's own is. */
export function startService(options: ServiceProcessOptions): ServiceProcess {
  const { name, main, cwd, env, data, say } = options;
  const logFile = join(data.logs, `${name}.log`);
  rotateLog(logFile);
  const log = createWriteStream(logFile, { flags: 'a', mode: 0o600 });
  // A session of its own: Ctrl-C in the terminal is for the process that started it, which decides the order.
  const child = spawn(process.execPath, [main], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} can't be started by ${process.execPath}`);
  writePidFile(servicePidFile(data, name), pid);

  createInterface({ input: child.stdout }).on('line', (line) => {
    log.write(`${line}\n`);
    const warning = readableWarning(name, line);
    if (warning !== undefined) say(warning);
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    log.write(`${line}\n`);
    if (line.trim() !== '') say(`${name}: ${line}`);
  });
  let ended: string | undefined;
  const exited = new Promise<string>((settle) => {
    // 'close' comes after 'exit', when its last lines have been read too.
    child.once('close', (code, signal) => {
      ended = signal ? `ended by ${signal}` : `exit code ${code}`;
      log.end(() => settle(ended as string));
    });
  });
  const stop = async () => {
    if (ended === undefined) await endProcess(pid, serviceEnd(options.drainMs));
    await exited;
    rmSync(servicePidFile(data, name), { force: true });
  };
  return {
    name,
    pid,
    logFile,
    exited,
    stop,
    [Symbol.asyncDispose]: stop,
    kill(signal) {
      if (ended === undefined) sendSignal(pid, signal);
    },
    async untilServing(timeoutMs) {
      const deadline = performance.now() + timeoutMs;
      while (!(await isServing(options.healthUrl))) {
        if (ended !== undefined) {
          await exited;
          throw new Error(withLog(`${name} ended while starting (${ended})`, logFile));
        }
        if (performance.now() > deadline) {
          const seconds = timeoutMs / 1000;
          throw new Error(
            withLog(`${name} is not healthy after ${seconds} s (${options.healthUrl})`, logFile),
          );
        }
        await sleep(HEALTH_POLL_MS);
      }
    },
  };
}

/** Ends the service that a killed run left behind; returns its process id, if there was one. */
export function endService(data: DataDirectory, name: string): Promise<number | undefined> {
  return endRemembered(servicePidFile(data, name), serviceEnd(1_000));
}

function servicePidFile(data: DataDirectory, name: string): string {
  return join(data.run, `${name}.pid`);
}

function serviceEnd(drainMs: number): EndStep[] {
  return [
    { signal: 'SIGTERM', waitMs: drainMs },
    { signal: 'SIGKILL', waitMs: 5_000 },
  ];
}

async function isServing(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false;
  }
}
