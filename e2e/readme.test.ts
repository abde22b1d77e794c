/**
 * Does what README.md tells its reader to do, on services of its own, and compares the answers with those that are
 * printed there. e2e/readme/blocks.ts tells how the page says what is to be done with a block.
 *
 * `npm ci` and `npm start` are not run as such: the services are started by what `npm start` names in package.json, on
 * free ports and with a data directory of their own, and every `localhost:<port>` of the page is led there. curl and
 * grpcurl are the machine's own where it has them. Elsewhere small programs take their place, which know no more than
 * the flags that README uses: e2e/readme/curl.ts, by fetch, and e2e/readme/grpcurl.ts, by server reflection over
 * grpc-js. What needs Docker is not run; only the files that are named must be there.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { settings as identitySettings } from '../services/identity/config.ts';
import { settings as ratelimitSettings } from '../services/ratelimit/config.ts';
import { stackDirectory } from '../testing/stack-directory.ts';
import { PrintedAnswers } from './readme/answers.ts';
import { blocksOf, stepsOf } from './readme/blocks.ts';
import { Shell } from './readme/shell.ts';
import { Stack } from './readme/stack.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const STEPS = stepsOf(README);
const PAGES = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];
const MANIFEST = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
};
const TOOLS = ['curl', 'grpcurl'] as const;

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

function isOnPath(program: string): boolean {
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
function standIn(tool: (typeof TOOLS)[number]): string {
  return `${tool}() { '${process.execPath}' '${join(ROOT, 'e2e', 'readme', `${tool}.ts`)}' "$@"; }`;
}

/** A directory that looks like the checkout and may be written to. */
function likeCheckout(): string {
  const directory = mkdtempSync(join(tmpdir(), 'optix-readme-'));
  for (const name of readdirSync(ROOT)) {
    if (!name.startsWith('.')) symlinkSync(join(ROOT, name), join(directory, name));
  }
  return directory;
}

describe('README, followed from top to bottom', () => {
  const data = stackDirectory();
  const answers = new PrintedAnswers();
  let stack: Stack;
  let shell: Shell;
  let checkout: string;
  const onOwnPorts = (text: string) =>
    text.replace(/\blocalhost:(\d+)\b/g, (_, port: string) => {
      const own = stack.ports.get(Number(port));
      if (own === undefined) throw new Error(`README names port ${port}, which is no service's default`);
      return `127.0.0.1:${own}`;
    });

  beforeAll(async () => {
    checkout = likeCheckout();
    stack = await Stack.start({
      root: ROOT,
      command: MANIFEST.scripts['start'] ?? '',
      dataDir: join(data.path, 'data'),
    });
    const { PATH, HOME, TMPDIR } = process.env;
    // npm has Node cache what it compiled, in the shared temporary directory.
    const quiet = { npm_config_update_notifier: 'false', NODE_DISABLE_COMPILE_CACHE: '1' };
    const env = { PATH, HOME, TMPDIR, ...quiet };
    shell = new Shell({ cwd: checkout, env });
    for (const tool of TOOLS) if (!isOnPath(tool)) await shell.run(standIn(tool));
  });
  afterAll(async () => {
    shell?.[Symbol.dispose]();
    await stack?.stop();
    data[Symbol.dispose]();
    if (checkout !== undefined) rmSync(checkout, { recursive: true, force: true });
  });

  it.each(STEPS.map((step, index) => ({ ...step, title: `${index + 1}. ${step.text.split('\n')[0]}` })))(
    '$title',
    async ({ kind, file, text, answer }) => {
      switch (kind) {
        case 'start': {
          const [install, start, ...rest] = text.trim().split('\n');
          expect([install, start, rest]).toEqual(['npm ci', 'npm start', []]);
          const { actual, printed } = answers.compare(stack.output, `...\n${answer}`);
          expect(actual).toEqual(printed);
          break;
        }
        case 'file':
          // A link where a reader has done the same in this checkout: not to be written through.
          rmSync(join(checkout, file ?? ''), { force: true });
          writeFileSync(join(checkout, file ?? ''), onOwnPorts(text));
          break;
        case 'names only':
          for (const line of text.trim().split('\n')) expectToBeThere(line);
          break;
        case 'run': {
          const { output, errors, code } = await shell.run(onOwnPorts(text));
          expect({ code, errors }).toMatchObject({ code: 0 });
          const { actual, printed } = answers.compare(output, answer ?? '');
          expect(actual).toEqual(printed);
        }
      }
    },
  );

  /** The stand-ins are put in on machines without the tools: they must not be kinder than these. */
  it.runIf(isOnPath('curl'))('has a stand-in for curl that answers like it', async () => {
    const url = 'http://localhost:8082/optix.ratelimit.v1.RateLimitService/CheckLimit';
    const call = (name: string) =>
      onOwnPorts(`${name} -s -i ${url} -H 'content-type: application/json' -d '{'`);
    const real = await shell.run(call('command curl'));
    const other = await shell.run(`(${standIn('curl')}\n${call('curl')})`);
    const lines = (text: string) =>
      text
        .toLowerCase()
        .split('\r\n')
        .filter((line) => !/^(date|keep|conn)/.test(line));
    expect(lines(other.output)).toEqual(lines(real.output));
    expect((await shell.run(`(${standIn('curl')}\ncurl --compressed ${onOwnPorts(url)})`)).code).not.toBe(0);
  });

  it('has a stand-in for grpcurl that refuses what the contracts do not have', async () => {
    const run = async (request: string, method: string) =>
      await shell.run(
        `(${standIn('grpcurl')}\ngrpcurl -plaintext -d '${request}' ${onOwnPorts('localhost:50052')} ${method})`,
      );
    const service = 'optix.ratelimit.v1.RateLimitService';
    const request = '{"endpoint":"orders","identifier":"user:1"}';
    expect(await run(request, `${service}/CheckLimit`)).toMatchObject({ code: 0 });
    expect((await run(request, `${service}/CheckLimits`)).errors).toContain('has no method CheckLimits');
    expect((await run(request, 'optix.ratelimit.v1.Nobody/CheckLimit')).errors).toContain('knows no');
    expect((await run('{"endpoints":"orders"}', `${service}/CheckLimit`)).errors).toContain('endpoints');
  });
});

describe.each(PAGES)('%s', (page) => {
  const markdown = readFileSync(join(ROOT, page), 'utf8');

  it('links to files that are there', () => {
    const targets = [...markdown.matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g)].map(
      ([, target]) => target,
    );
    const missing = targets.filter((target) => !existsSync(join(ROOT, dirname(page), target ?? '')));
    expect(missing).toEqual([]);
  });

  it('names scripts that package.json has', () => {
    const names = [...markdown.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g)].map(
      ([, run, short]) => run ?? short,
    );
    expect(names.filter((name) => MANIFEST.scripts[name ?? ''] === undefined)).toEqual([]);
  });
});

it('every block of README is a step or the answer to one', () => {
  const answered = STEPS.filter(({ answer }) => answer !== undefined);
  expect(STEPS.length).toBeGreaterThan(8);
  expect(blocksOf(README)).toHaveLength(STEPS.length + answered.length);
});

describe('the settings that README lists', () => {
  const all = [...Object.values(identitySettings), ...Object.values(ratelimitSettings)];
  const rows = [...README.matchAll(/^\| (`[A-Z`, _]+`) \| (?:`([^`]*)`)? *\| .* \|$/gm)].flatMap(
    ([, names = '', fallback]) =>
      names.split(', ').map((name) => [name.replaceAll('`', ''), fallback] as const),
  );

  it('are there', () => expect(rows.length).toBeGreaterThan(5));

  it.each(rows)('%s has the default %s', (name, fallback) => {
    const defaults = all.filter(({ env }) => env === name).map((setting) => setting.fallback);
    expect(defaults).not.toEqual([]);
    expect(new Set(defaults.map((value) => (value === undefined ? undefined : String(value))))).toEqual(
      new Set([fallback]),
    );
  });

  it.each([
    [identitySettings.grpcPort],
    [identitySettings.httpPort],
    [ratelimitSettings.grpcPort],
    [ratelimitSettings.httpPort],
  ])('$env is in the table of ports, with its default', ({ env, fallback }) => {
    expect(README).toContain(`${fallback} (\`${env}\`)`);
  });
});

/** What a command that is not run names: a script of npm's, a file, or the compose file. */
function expectToBeThere(command: string): void {
  const [, script] = /^sh (\S+)$/.exec(command) ?? [];
  if (script !== undefined) expect(existsSync(join(ROOT, script)), script).toBe(true);
  else {
    expect(command).toMatch(/^docker compose /);
    expect(existsSync(join(ROOT, 'docker-compose.yml'))).toBe(true);
  }
}
