import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ROOT } from '../scripts/run-command.ts';
import { freePort } from '../stack/ports.ts';

const run = promisify(execFile);
const SERVING_MS = 20_000;

const GENERATE = `version: v2
plugins:
  - { local: protoc-gen-es, out: gen, opt: [target=ts, import_extension=ts] }
`;

/** Each subpath of the package, for example `optix/ratelimit/express`, and the source that it is built from. */
const SOURCES = new Map(
  Object.entries(
    (
      JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
        readonly exports: Readonly<Record<string, { readonly default: string }>>;
      }
    ).exports,
  ).map(([subpath, { default: built }]) => [
    `optix${subpath.slice(1)}`,
    join(ROOT, built.replace(/^\.\/dist\//, '').replace(/\.js$/, '.ts')),
  ]),
);

/** A program of the project that serves on a port of its own. */
export interface ServingProgram extends AsyncDisposable {
  readonly port: number;
}

/**
 * The project that a reader would have who saves every file of a page: in a directory of its own, with this checkout's
 * packages, and its sources in place of the package that is built from them.
 */
export class DocsProject implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'optix-docs-'));
  readonly #files: ReadonlyMap<string, string>;

  constructor(files: ReadonlyMap<string, string>) {
    this.#files = files;
    writeFileSync(join(this.directory, 'package.json'), '{ "type": "module" }');
    symlinkSync(join(ROOT, 'node_modules'), join(this.directory, 'node_modules'));
    for (const [name, text] of files) writeFileSync(join(this.directory, name), fromSource(text));
  }

  /** Has buf make code of the project's contracts, which are alone in a directory: buf reads all that it finds. */
  async generate(): Promise<void> {
    writeFileSync(join(this.directory, 'buf.gen.yaml'), GENERATE);
    mkdirSync(join(this.directory, 'contracts'));
    for (const [name, text] of this.#files) {
      if (name.endsWith('.proto')) writeFileSync(join(this.directory, 'contracts', name), text);
    }
    const path = [join(ROOT, 'node_modules/.bin'), process.env['PATH']].join(delimiter);
    const env = { ...process.env, PATH: path, BUF_CACHE_DIR: join(this.directory, '.cache') };
    await run('buf', ['generate', 'contracts', '--template', 'buf.gen.yaml'], { cwd: this.directory, env });
  }

  /** What the compiler says to all programs, as strictly as to this checkout: '' where they are good. */
  async compile(): Promise<string> {
    const config = join(this.directory, 'tsconfig.json');
    const typeRoots = [join(ROOT, 'node_modules/@types')];
    writeFileSync(
      config,
      JSON.stringify({
        extends: join(ROOT, 'tsconfig.json'),
        compilerOptions: { typeRoots },
        include: ['*.ts'],
      }),
    );
    return await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', config])
      .then(() => '')
      .catch((error: { readonly stdout: string }) => error.stdout);
  }

  /**
   * Starts a program, and waits until it serves.
   *
   * @param places what it names, and what it is to find there: `localhost:50052`, say
   * @throws Error with what it wrote, where it does not come up
   */
  async serve(
    name: string,
    places: Readonly<Record<string, string>>,
    env: Readonly<Record<string, string>>,
  ): Promise<ServingProgram> {
    const port = await freePort();
    const written = `on-${port}-`;
    for (const [file, text] of this.#files) {
      if (!file.endsWith('.ts')) continue;
      const placed = Object.entries({ ...places, 3000: String(port) }).reduce(
        (now, [from, to]) => now.replaceAll(from, to),
        fromSource(text).replaceAll(/'\.\/(?=[\w-]+\.ts')/g, `'./${written}`),
      );
      writeFileSync(join(this.directory, `${written}${file}`), placed);
    }
    const child = spawn(process.execPath, [`${written}${name}`], {
      cwd: this.directory,
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += String(chunk);
      });
    }
    const end = async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    };
    if (!(await accepts(port, child))) {
      await end();
      throw new Error(`${name} does not serve:\n${output}`);
    }
    return { port, [Symbol.asyncDispose]: end };
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function fromSource(text: string): string {
  return text.replaceAll(/from '(optix\/[\w/]+)'/g, (_, name: string) => {
    const source = SOURCES.get(name);
    if (source === undefined) throw new Error(`the package has no ${name}`);
    return `from '${source}'`;
  });
}

async function accepts(port: number, child: ChildProcess): Promise<boolean> {
  const deadline = performance.now() + SERVING_MS;
  while (performance.now() < deadline && child.exitCode === null) {
    const socket = connect(port, '127.0.0.1');
    const connected = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (connected) return true;
    await sleep(50);
  }
  return false;
}
