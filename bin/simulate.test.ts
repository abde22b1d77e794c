import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blocksOf } from '../e2e/readme/blocks.ts';
import { CHECKOUT } from './checkout.ts';
import { simulateCommand } from './commands/simulate.ts';
import { openProgress } from './output/progress.ts';
import { UsageError } from './usage.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'optix-simulate-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

function file(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function simulate(args: readonly string[], input: string | Buffer = '') {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(CHECKOUT, 'bin', 'optix.ts'), 'simulate', ...args],
    { encoding: 'utf8', input, env: { PATH: process.env['PATH'] } },
  );
  return { status, stdout, stderr };
}

/** One request a second, of the same client. */
const LOG = Array.from({ length: 20 }, (_, second) => {
  const path = second % 2 === 0 ? '/orders/1' : '/static/a.css';
  return `203.0.113.9 - ada [22/Nov/2026:10:00:${String(second).padStart(2, '0')} +0000] "GET ${path} HTTP/1.1" 200 5 "-" "curl"\n`;
}).join('');

const RULES = `
rules:
  - { name: orders, limits: [ { limit: 4, window: 1m } ] }
  - { name: api_default, limits: [ { limit: 100, window: 1m } ] }
`;

describe('optix simulate', () => {
  it('replays a log by the built-in rules', () => {
    const { status, stdout, stderr } = simulate([file('access.log', LOG)]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('access.log: 20 requests, 2026-11-22T10:00:00.000Z to 2026-11-22T10:00:19.000Z');
    expect(stdout).toMatch(/^api_default +api_default +20 +20 +0 /m);
  });

  it('takes rules and a map of endpoints, suggests a limit, and writes JSON and a plot', () => {
    const svg = join(directory, 'plot.svg');
    const { status, stdout } = simulate([
      file('packed.log', gzipSync(LOG)),
      ...['--rules', file('rules.yaml', RULES)],
      ...['--map', file('map.yaml', 'endpoints: { /orders/*: orders, "*.css": null }')],
      ...['--by', 'user', '--suggest', '0.1', '--json', '--svg', svg],
    ]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      log: { lines: 20, requests: 10, withoutEndpoint: 10 },
      total: { requests: 10, allowed: 4, denied: 6 },
      endpoints: [
        {
          endpoint: 'orders',
          rule: 'orders',
          limits: [{ limit: 4, suggestion: { suggested: { limit: 9, denied: 1 } } }],
        },
      ],
      mostDenied: [{ endpoint: 'orders', identifier: 'user:ada', count: 6 }],
    });
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg [\s\S]*denied: 6[\s\S]*<\/svg>\n$/);
  });

  it('reads JSON lines from standard input', () => {
    const lines = `{"at":1700000000,"who":"a"}\n`.repeat(5);
    const { status, stdout } = simulate(
      ['-', '--fields', 'time=at,user=who', '--by', 'user', '--endpoint', 'auth_register', '--json'],
      lines,
    );
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ total: { requests: 5, allowed: 3, denied: 2 } });
  });

  it('explains itself', () => {
    expect(simulate(['--help'])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('Usage: optix simulate <log>'),
    });
  });

  it.each([
    [[], '<log> must be given'],
    [['a', 'b'], '"b" is one argument too many'],
    [['a', '--speed', '2'], "Unknown option '--speed'"],
    [['a', '--by', 'cookie'], '--by cookie is not ip, user or header:NAME'],
    [['a', '--format', 'w3c'], '--format w3c is none of common, combined and json'],
    [['a', '--fields', 'colour=x'], '--fields: "colour=x" is not <field>=<name>'],
    [['a', '--format', 'combined', '--fields', 'time=t'], '--fields is for JSON lines only'],
    [['a', '--format', 'common', '--by', 'header:referer'], 'has no other headers than'],
    [
      ['a', '--format', 'combined', '--by', 'header:x-tenant'],
      'has no other headers than referer and user-agent',
    ],
    [['a', '--endpoint', 'x y'], '--endpoint must be 1 to 128 characters'],
    [['a', '--endpoint', 'x', '--map', 'y'], '--endpoint or --map, not both'],
    [['a', '--reorder', '1'], '--reorder 1 is no length of time'],
    [['a', '--duration', 'long'], '--duration long is no length of time'],
    [['a', '--suggest', '1'], '--suggest 1 is no share from 0 to below 1'],
    [['a', '--suggest', '1%'], '--suggest 1% is no share'],
    [['a', '--top', '0'], '--top 0 is no number from 1 to 1000'],
  ])('refuses %j as a mistake of usage', async (args, says) => {
    const error = await simulateCommand(args).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toContain(says);
  });

  it.each([
    ['a log that is not there', () => [join(directory, 'missing')], /missing can't be read: ENOENT$/],
    ['a directory', () => [directory], /is a directory$/],
    [
      'a damaged gzip file',
      () => [file('cut.gz', gzipSync(LOG).subarray(0, 30))],
      /cut\.gz is damaged, or ends too early/,
    ],
    [
      'a log of another format',
      () => [file('other.log', 'hello\nworld\n')],
      /no line of other\.log could be read as a request \(--format\): line 1 has no time in brackets$/,
    ],
    [
      'bad rules',
      () => [file('a.log', LOG), '--rules', file('bad.yaml', 'rules: [ { name: a, limit: 3 } ]')],
      /bad\.yaml:1:\d+ rules\[0\]/,
    ],
    [
      'a bad map',
      () => [file('a.log', LOG), '--map', file('bad-map.yaml', 'endpoints: { orders: a }')],
      /bad-map\.yaml:1:14 endpoints\.orders must be a path/,
    ],
    [
      'a map that is not there',
      () => [file('a.log', LOG), '--map', join(directory, 'none')],
      /none can't be read: ENOENT/,
    ],
    [
      'a plot that can not be written',
      () => [file('a.log', LOG), '--svg', join(directory, 'no', 'x.svg')],
      /ENOENT/,
    ],
  ])('fails on %s, and says why', async (_, args, says) => {
    const error = await simulateCommand(args()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(UsageError);
    expect((error as Error).message).toMatch(says);
  });

  it('ends with 2 after a mistake of usage, with 1 where the log can not be read', () => {
    expect(simulate([])).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining('<log> must be given'),
    });
    expect(simulate([directory])).toEqual({
      status: 1,
      stdout: '',
      stderr: `optix: ${directory} is a directory\n`,
    });
  });
});

describe('docs/simulate.md', () => {
  it('has commands that run as written, with the files that it shows', () => {
    const blocks = blocksOf(readFileSync(join(CHECKOUT, 'docs', 'simulate.md'), 'utf8'));
    for (const { directive, text } of blocks) {
      const [, name] = /^file (\S+)$/.exec(directive) ?? [];
      if (name !== undefined) file(name, text);
    }
    file('access.log', LOG);
    file('access.log.2.gz', gzipSync(LOG));
    file('caddy.log', '{"ts":1700000000.5,"user_id":"ada","request":{"remote_ip":"::1","uri":"/"}}\n');
    symlinkSync(join(CHECKOUT, 'bin'), join(directory, 'bin'));
    const commands = blocks
      .filter(({ language }) => language === 'sh')
      .flatMap(({ text }) => text.trim().split('\n'));
    expect(commands.length).toBeGreaterThan(3);
    for (const command of commands) {
      const env = { PATH: `${dirname(process.execPath)}:${process.env['PATH']}` };
      const { status, stdout, stderr } = spawnSync(
        'bash',
        ['--norc', '-c', command.replace('npx optix', 'node bin/optix.ts')],
        {
          encoding: 'utf8',
          cwd: directory,
          env,
        },
      );
      expect({ command, status, stderr }).toEqual({ command, status: 0, stderr: '' });
      expect(stdout).not.toBe('');
    }
    expect(readFileSync(join(directory, 'plot.svg'), 'utf8')).toContain('</svg>');
  });
});

describe('the progress bar', () => {
  function shown(isTTY: boolean, sizeBytes: number | undefined) {
    let now = 0;
    const written: string[] = [];
    const progress = openProgress(
      { isTTY, write: (text: string | Uint8Array) => written.push(String(text)) > 0 },
      () => now,
    );
    for (const [at, readBytes] of [
      [499, 1 << 20],
      [500, 2 << 20],
      [599, 3 << 20],
      [600, 4 << 20],
    ] as const) {
      now = at;
      progress.show({ sizeBytes, readBytes });
    }
    progress.clear();
    progress.clear();
    return written;
  }

  it('shows on a terminal what takes long, ten times a second at most, and goes', () => {
    expect(shown(true, 4 << 20)).toEqual([
      `\r[${'='.repeat(15)}${' '.repeat(15)}] 50% of 4.0 MiB\x1b[K`,
      `\r[${'='.repeat(30)}] 100% of 4.0 MiB\x1b[K`,
      '\r\x1b[K',
    ]);
  });

  it('shows what was read where the size is not known', () => {
    expect(shown(true, undefined)[0]).toBe('\r2.0 MiB\x1b[K');
  });

  it('writes nothing where there is no terminal', () => {
    expect(shown(false, 4 << 20)).toEqual([]);
  });
});
