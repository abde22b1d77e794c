import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));

const forwarded: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** This process was asked to stop. */
export class Interrupted extends Error {
  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
    this.name = 'Interrupted';
  }
}

export interface CommandResult {
  code: number;
  /** What it wrote on both outputs, where they were captured. */
  output: string;
}

export interface CommandOptions {
  env?: NodeJS.ProcessEnv;
  /** Whether to collect the output instead of showing it. */
  capture?: boolean;
}

/**
 * Runs a program of node_modules/.bin or of PATH in the root, with nothing on its input. Signals to this process are
 * passed on, and its end is waited for: it has things to clean up.
 *
 * @throws Error where it can't be run; Interrupted where this process was asked to stop meanwhile.
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  { env, capture = false }: CommandOptions = {},
): Promise<CommandResult> {
  const path = [join(ROOT, 'node_modules', '.bin'), process.env['PATH']].join(delimiter);
  const out = capture ? 'pipe' : 'inherit';
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { ...process.env, ...env, PATH: path },
    stdio: ['ignore', out, out],
  });
  let interrupted: NodeJS.Signals | undefined;
  const pass = (signal: NodeJS.Signals) => {
    interrupted = signal;
    child.kill(signal);
  };
  for (const signal of forwarded) process.on(signal, pass);
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk));
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', (error) => reject(new Error(`${program} can't be run: ${error.message}`)));
      child.once('close', (status) => resolve(status ?? 1));
    });
    if (interrupted) throw new Interrupted(interrupted);
    return { code, output };
  } finally {
    for (const signal of forwarded) process.off(signal, pass);
  }
}
