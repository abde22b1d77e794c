import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';

/** What a piece of shell script wrote, and how its last command ended. */
export interface Ran {
  readonly output: string;
  readonly errors: string;
  readonly code: number;
}

/** A bash that keeps variables and functions from one script to the next, as a reader's terminal does. */
export class Shell implements Disposable {
  readonly #process: ChildProcess;
  #output = '';
  #errors = '';
  #onOutput: () => void = () => undefined;

  constructor(options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }) {
    this.#process = spawn('bash', ['--noprofile', '--norc'], { ...options, stdio: 'pipe' });
    this.#process.stdout?.on('data', (chunk: Buffer) => {
      this.#output += chunk.toString();
      this.#onOutput();
    });
    this.#process.stderr?.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    this.#process.once('close', () => this.#onOutput());
  }

  /** Runs a script to its end. @throws Error where the shell itself ends with it. */
  async run(script: string): Promise<Ran> {
    const end = `end-${randomUUID()}`;
    const pattern = new RegExp(`^([\\s\\S]*)${end} (\\d+)\\n`);
    this.#output = '';
    this.#errors = '';
    // Commands get no input: they would read the rest of the script.
    this.#process.stdin?.write(`{\n${script}\n} </dev/null\nprintf '\\n%s %s\\n' ${end} $?\n`);
    return await new Promise((resolve, reject) => {
      this.#onOutput = () => {
        const [, output, code] = pattern.exec(this.#output) ?? [];
        if (output !== undefined) resolve({ output, errors: this.#errors, code: Number(code) });
        else if (this.#process.exitCode !== null) reject(new Error(`bash ended: ${this.#errors}`));
      };
      this.#onOutput();
    });
  }

  [Symbol.dispose](): void {
    this.#process.kill('SIGKILL');
  }
}
