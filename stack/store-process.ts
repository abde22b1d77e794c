import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { type EndStep, endProcess, sendSignal } from './end-process.ts';
import type { Account } from './postgres-account.ts';

/** A store's server process whose output goes to a log file. */
export interface StoreProcess {
  /** `undefined` where it could not be started at all. */
  readonly pid: number | undefined;
  /** Settles, saying how, when the process has ended. */
  readonly exited: Promise<string>;
  /** How it ended, once it has. */
  ended(): string | undefined;
  /** Ends it by the signals in turn. Does nothing once it has ended: its id may be somebody else's by then. */
  end(steps: readonly EndStep[]): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

export interface StoreProcessOptions {
  cwd: string;
  logFile: string;
  env?: NodeJS.ProcessEnv;
  account?: Account | undefined;
}

/** Starts a program with its output appended to the log file. */
export function startStoreProcess(
  program: string,
  args: readonly string[],
  { cwd, logFile, env, account }: StoreProcessOptions,
): StoreProcess {
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(program, args, {
    cwd,
    stdio: ['ignore', log, log],
    // A session of its own: Ctrl-C in the terminal is for the process that started it, which decides the order.
    detached: true,
    ...(env && { env }),
    ...(account && { uid: account.uid, gid: account.gid }),
  });
  closeSync(log);
  let how: string | undefined;
  const exited = new Promise<string>((settle) => {
    const end = (text: string) => {
      how = text;
      settle(text);
    };
    child.once('error', (error) => end(`it could not be run (${error.message})`));
    child.once('exit', (code, signal) => end(signal ? `ended by ${signal}` : `exit code ${code}`));
  });
  return {
    pid: child.pid,
    exited,
    ended: () => how,
    async end(steps) {
      if (child.pid === undefined || how !== undefined) return;
      await endProcess(child.pid, steps);
      await exited;
    },
    kill(signal) {
      if (child.pid !== undefined && how === undefined) sendSignal(child.pid, signal);
    },
  };
}
