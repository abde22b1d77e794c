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
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ROOT } from '../scripts/run-command.ts';
import { settings as identitySettings } from '../services/identity/config.ts';
import { settings as ratelimitSettings } from '../services/ratelimit/config.ts';
import { blocksOf, stepsOf } from './readme/blocks.ts';
import { Guide, isOnPath, standIn } from './readme/guide.ts';

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

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

describe('README, followed from top to bottom', () => {
  let guide: Guide;

  beforeAll(async () => {
    guide = await Guide.start(MANIFEST.scripts['start'] ?? '');
    await guide.openTerminal();
  });
  afterAll(async () => await guide?.[Symbol.asyncDispose]());

  it.each(STEPS.map((step, index) => ({ ...step, title: `${index + 1}. ${step.text.split('\n')[0]}` })))(
    '$title',
    async (step) => await guide.follow(step),
  );

  /** The stand-ins are put in on machines without the tools: they must not be kinder than these. */
  it.runIf(isOnPath('curl'))('has a stand-in for curl that answers like it', async () => {
    const url = 'http://localhost:8082/optix.ratelimit.v1.RateLimitService/CheckLimit';
    const call = (name: string) =>
      guide.onOwnPorts(`${name} -s -i ${url} -H 'content-type: application/json' -d '{'`);
    const real = await guide.run(call('command curl'));
    const other = await guide.run(`(${standIn('curl')}\n${call('curl')})`);
    const lines = (text: string) =>
      text
        .toLowerCase()
        .split('\r\n')
        .filter((line) => !/^(date|keep|conn)/.test(line));
    expect(lines(other.output)).toEqual(lines(real.output));
    expect(
      (await guide.run(`(${standIn('curl')}\ncurl --compressed ${guide.onOwnPorts(url)})`)).code,
    ).not.toBe(0);
  });

  it('has a stand-in for grpcurl that refuses what the contracts do not have', async () => {
    const run = async (request: string, method: string) =>
      await guide.run(
        `(${standIn('grpcurl')}\ngrpcurl -plaintext -d '${request}' ${guide.onOwnPorts('localhost:50052')} ${method})`,
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
