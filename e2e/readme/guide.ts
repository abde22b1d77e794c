import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect } from 'vitest';
import { ROOT } from '../../scripts/run-command.ts';
import { NODE_COMPILE_CACHE } from '../../testing/compile-cache.ts';
import { stackDirectory } from '../../testing/stack-directory.ts';
import { PrintedAnswers } from './answers.ts';
import type { Step } from './blocks.ts';
import { Shell } from './shell.ts';
import { Stack } from './stack.ts';

/** Programs that pages use and a machine may lack: small ones take their place there, which know no more than is used. */
export const TOOLS = ['curl', 'grpcurl'] as const;

/** Whether a program is on the PATH. */
export function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** A shell function that runs the stand-in of a tool on the Node that runs this. */
export function standIn(tool: (typeof TOOLS)[number]): string {
  return `${tool}() { '${process.execPath}' '${join(ROOT, 'e2e', 'readme', `${tool}.ts`)}' "$@"; }`;
}

/**
 * Does what pages tell their reader, on services of its own: started by what `npm start` names, on free ports, with a
 * data directory of their own. Every `localhost:<port>` of a page is led there, and so is the command line.
 */
export class Guide implements AsyncDisposable {
  readonly stack: Stack;
  readonly #data: ReturnType<typeof stackDirectory>;
  readonly #checkout = likeCheckout();
  #shell: Shell | undefined;
  #answers = new PrintedAnswers();

  private constructor(stack: Stack, data: ReturnType<typeof stackDirectory>) {
    this.stack = stack;
    this.#data = data;
  }

  /** @param command what `npm start` runs */
  static async start(command: string): Promise<Guide> {
    const data = stackDirectory();
    const stack = await Stack.start({ root: ROOT, command, dataDir: join(data.path, 'data') });
    return new Guide(stack, data);
  }

  /**
   * A terminal in which nothing was typed yet.
   *
   * @param quick runs `npx optix` without npm, which takes longer to find it than it takes
   */
  async openTerminal({ quick = false } = {}): Promise<void> {
    this.#shell?.[Symbol.dispose]();
    this.#answers = new PrintedAnswers();
    const { PATH, HOME, TMPDIR } = process.env;
    const quiet = { npm_config_update_notifier: 'false', NODE_COMPILE_CACHE };
    const addresses = {
      OPTIX_IDENTITY_ADDRESS: this.onOwnPorts('localhost:50051'),
      OPTIX_RATELIMIT_ADDRESS: this.onOwnPorts('localhost:50052'),
    };
    this.#shell = new Shell({
      cwd: this.#checkout,
      env: { PATH, HOME, TMPDIR, ...quiet, ...addresses, OPTIX_DATA_DIR: join(this.#data.path, 'data') },
    });
    for (const tool of TOOLS) if (!isOnPath(tool)) await this.run(standIn(tool));
    if (quick) {
      const optix = `'${process.execPath}' bin/optix.js`;
      await this.run(`npx() { if [ "$1" = optix ]; then shift; ${optix} "$@"; else command npx "$@"; fi; }`);
    }
    // A block's code is that of its last command only.
    await this.run(`trap 'failed_commands+="$BASH_COMMAND; "' ERR`);
  }

  async run(script: string) {
    if (this.#shell === undefined) throw new Error('no terminal is open');
    return await this.#shell.run(script);
  }

  onOwnPorts(text: string): string {
    return text.replace(/\blocalhost:(\d+)\b/g, (_, port: string) => {
      const own = this.stack.ports.get(Number(port));
      if (own === undefined) throw new Error(`a page names port ${port}, which is no service's default`);
      return `127.0.0.1:${own}`;
    });
  }

  /** Does one step, and fails where it does not come to what the page says. */
  async follow({ kind, file, text, exitCode, answer }: Step): Promise<void> {
    switch (kind) {
      case 'start': {
        const [install, start, ...rest] = text.trim().split('\n');
        expect([install, start, rest]).toEqual(['npm ci', 'npm start', []]);
        if (answer !== undefined) this.#compare(this.stack.output, `...\n${answer}`);
        break;
      }
      case 'file':
        // A link where a reader has done the same in this checkout: not to be written through.
        rmSync(join(this.#checkout, file ?? ''), { force: true });
        writeFileSync(join(this.#checkout, file ?? ''), this.onOwnPorts(text));
        break;
      case 'names only':
        for (const line of text.trim().split('\n')) expectToBeThere(line);
        break;
      case 'run': {
        const { output, errors, code } = await this.run(this.onOwnPorts(text));
        expect({ code, output, errors }).toMatchObject({ code: exitCode });
        const failed = await this.run('printf %s "$failed_commands"; failed_commands=');
        if (exitCode === 0) expect({ failed: failed.output.trim(), errors }).toMatchObject({ failed: '' });
        if (answer !== undefined) this.#compare(output, answer);
        else if (!/[>=]/.test(text)) expect(output.trim()).not.toBe('');
      }
    }
  }

  #compare(output: string, answer: string): void {
    const { actual, printed } = this.#answers.compare(output, answer);
    expect(actual).toEqual(printed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#shell?.[Symbol.dispose]();
    await this.stack.stop();
    this.#data[Symbol.dispose]();
    rmSync(this.#checkout, { recursive: true, force: true });
  }
}

/** A directory that looks like the checkout and may be written to. */
function likeCheckout(): string {
  const directory = mkdtempSync(join(tmpdir(), 'optix-readme-'));
  for (const name of readdirSync(ROOT)) {
    if (!name.startsWith('.')) symlinkSync(join(ROOT, name), join(directory, name));
  }
  return directory;
}

/** What a command that is not run names: a script of npm's, a file, or the compose file. */
function expectToBeThere(command: string): void {
  const [, script] = /^sh (\S+)$/.exec(command) ?? [];
  if (script !== undefined) expect(existsSync(join(ROOT, script)), script).toBe(true);
  else {
    expect(command).toMatch(/^docker compose /);
    expect(existsSync(join(ROOT, 'docker-compose.yml'))).toBe(true);
  }
}
