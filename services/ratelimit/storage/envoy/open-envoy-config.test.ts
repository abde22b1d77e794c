import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InvalidFile } from '../../../../runtime/invalid-file.ts';
import { collectingLogger } from '../../../../testing/collecting-logger.ts';
import type { EnvoyFile } from './envoy-files.ts';
import { loadEnvoyFiles } from './envoy-files.ts';
import { EnvoyFilesWatch } from './envoy-files-watch.ts';
import { openEnvoyConfig } from './open-envoy-config.ts';
import { parseEnvoyFiles } from './parse-envoy-files.ts';

const text = (domain: string, requestsPerUnit: number | string) =>
  `domain: ${domain}\ndescriptors:\n  - { key: k, rate_limit: { unit: minute, requests_per_unit: ${requestsPerUnit} } }\n`;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'envoy-files-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

const at = (...names: readonly string[]) => join(directory, ...names);
const write = (name: string, content: string | Buffer) => writeFile(at(name), content);

const OFTEN_MS = 30;

async function opened({
  paths = [directory],
  mergeDomains = false,
  everyMs = OFTEN_MS as number | undefined,
} = {}) {
  const { logger, entries } = collectingLogger();
  const options = { paths, mergeDomains, onStoreFailure: 'FAIL_LOCAL' as const, logger, everyMs };
  const config = await openEnvoyConfig(options);
  return {
    [Symbol.asyncDispose]: () => config[Symbol.asyncDispose](),
    domains: () => config.current.domains,
    limit: (domain: string) => {
      const quota = config.current.match(domain, [{ key: 'k', value: 'v' }])?.limit.quota;
      return quota?.kind === 'RATE' ? quota.requestsPerUnit : undefined;
    },
    log: () => entries.map(({ msg, problems }) => [msg, problems].flat().filter(Boolean).join(' | ')),
  };
}

async function problemsOf() {
  try {
    await using _ = await opened();
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidFile);
    return (error as InvalidFile).problems;
  }
  return [];
}

const within = (ms: number) => ({ timeout: ms, interval: 10 });
const aMoment = () => new Promise((resolve) => setTimeout(resolve, 500));

describe("Envoy's configuration", () => {
  it('is that of files, and of the *.yaml and *.yml of directories that are not hidden', async () => {
    await mkdir(at('more'));
    await write('one.yaml', text('one', 1));
    for (const name of ['two.yaml', 'three.yml', '.four.yaml', 'five.yaml.bak', 'six.json']) {
      await write(`more/${name}`, text(name.replace(/^\.|\..*/g, ''), 1));
    }
    await using config = await opened({ paths: [at('one.yaml'), at('more')] });
    expect(config.domains()).toEqual(['one', 'three', 'two']);
    expect(config.log()).toEqual([]);
  });

  it('is refused at the start with all that is wrong in any file', async () => {
    await write('a.yaml', text('edge', -1));
    await write('b.yaml', text('""', 1));
    await write('c.yaml', text('edge', 1));
    expect(await problemsOf()).toEqual([
      `${at('a.yaml')}:3:43 descriptors[0].rate_limit.requests_per_unit must be an integer from 0 to 4294967295`,
      `${at('b.yaml')}:1:1 domain must not be empty`,
      `${at('c.yaml')}:1:1 domain is that of ${at('a.yaml')} already`,
    ]);
  });

  it('may have a domain in two files where that is set', async () => {
    await write('a.yaml', text('edge', 1));
    await write('b.yaml', text('edge', 1).replace('key: k', 'key: other'));
    expect(await problemsOf()).toHaveLength(1);
    await using config = await opened({ mergeDomains: true });
    expect(config.domains()).toEqual(['edge']);
  });

  it.each<[string, () => Promise<unknown>, string]>([
    ['nothing is there', async () => await rm(at('a.yaml')), 'has no *.yaml and no *.yml'],
    ['a link leads nowhere', () => symlink('nowhere', at('b.yaml')), "b.yaml can't be read: ENOENT"],
    ['a directory is named like a file', () => mkdir(at('b.yaml')), 'b.yaml is not a file'],
    ['one is not UTF-8', () => write('b.yaml', Buffer.from([0x72, 0xff])), 'b.yaml is not UTF-8'],
    [
      'one is too large',
      () => write('b.yaml', Buffer.alloc(4 * 1024 * 1024 + 1, ' ')),
      'b.yaml has more than 4194304 bytes',
    ],
    [
      'all together are too large',
      async () => {
        for (let index = 0; index < 9; index += 1)
          await write(`b${index}.yaml`, Buffer.alloc(4 * 1024 * 1024 - 50, ' '));
      },
      'b8.yaml and the files before it have more than 33554432 bytes',
    ],
    [
      'there are too many',
      async () => {
        await Promise.all(
          Array.from({ length: 1_000 }, (_, index) => write(`b${index}.yaml`, text(`d${index}`, 1))),
        );
      },
      '1001 files are more than 1000',
    ],
    ['the parser trips over one', () => write('b.yaml', '['.repeat(8_000)), 'b.yaml:1:'],
    ['the parser trips over a large one', () => write('b.yaml', '['.repeat(50_000)), 'b.yaml:1:'],
  ])('is refused where %s', async (_, make, problem) => {
    await write('a.yaml', text('edge', 1));
    await make();
    expect((await problemsOf()).join()).toContain(problem);
  });
});

describe("Envoy's configuration that changes", () => {
  it('is in force without a restart, a file added, changed, removed or renamed', async () => {
    await write('a.yaml', text('a', 1));
    await using config = await opened({ everyMs: 300 });
    await write('a.yaml', text('a', 2));
    await vi.waitFor(() => expect(config.limit('a')).toBe(2), within(5_000));
    await write('b.yaml', text('b', 3));
    await vi.waitFor(() => expect(config.limit('b')).toBe(3), within(5_000));
    await unlink(at('b.yaml'));
    await vi.waitFor(() => expect(config.domains()).toEqual(['a']), within(5_000));
    await rename(at('a.yaml'), at('c.yaml'));
    await vi.waitFor(() => expect(config.log()).toHaveLength(4), within(5_000));
    expect(config.limit('a')).toBe(2);
    expect(new Set(config.log())).toEqual(new Set(["Envoy's limits read anew"]));
  });

  it('may stand in a directory that a link is turned to, as config maps do', async () => {
    for (const [name, limit] of [
      ['..one', 1],
      ['..two', 2],
    ] as const) {
      await mkdir(at(name));
      await write(`${name}/edge.yaml`, text('edge', limit));
    }
    await symlink('..one', at('..data'));
    await symlink('..data/edge.yaml', at('edge.yaml'));
    await using config = await opened();
    expect(config.limit('edge')).toBe(1);
    await symlink('..two', at('next'));
    await rename(at('next'), at('..data'));
    await vi.waitFor(() => expect(config.limit('edge')).toBe(2), within(5_000));
  });

  it('is refused whole where one file is bad, which is logged once, until all are good again', async () => {
    await write('a.yaml', text('a', 1));
    await write('b.yaml', text('b', 1));
    await using config = await opened();
    await write('a.yaml', text('a', 2));
    await write('b.yaml', text('b', -1));
    await vi.waitFor(() => expect(config.log()).toHaveLength(1), within(5_000));
    await aMoment();
    expect([config.limit('a'), config.limit('b')]).toEqual([1, 1]);
    expect(config.log()).toEqual([
      `Envoy's limits are refused: they stay as they were | ${at('b.yaml')}:3:43 descriptors[0].rate_limit.requests_per_unit must be an integer from 0 to 4294967295`,
    ]);
    await write('b.yaml', text('b', 2));
    await vi.waitFor(() => expect([config.limit('a'), config.limit('b')]).toEqual([2, 2]), within(5_000));
    expect(config.log()[1]).toBe("Envoy's limits are good again");
  });

  it('that goes away leaves the limits in force', async () => {
    await write('a.yaml', text('a', 1));
    await using config = await opened();
    await rm(at('a.yaml'));
    await vi.waitFor(() => expect(config.log()).toHaveLength(1), within(5_000));
    expect(config.log()[0]).toContain(`${directory} has no *.yaml`);
    expect(config.limit('a')).toBe(1);
    await write('a.yaml', text('a', 3));
    await vi.waitFor(() => expect(config.limit('a')).toBe(3), within(5_000));
  });

  it('is not taken before it was written to its end', async () => {
    await write('a.yaml', text('a', 1));
    await using config = await opened({ everyMs: 300 });
    const seen = new Set<number | undefined>();
    for (let step = 100; step < 120; step += 1) {
      await write('a.yaml', text('a', step));
      await new Promise((resolve) => setTimeout(resolve, 50));
      seen.add(config.limit('a'));
    }
    await vi.waitFor(() => expect(config.limit('a')).toBe(119), within(5_000));
    expect([...seen]).toEqual([1]);
  });

  it('may be so large that parsing it would take long, for which this process goes on', async () => {
    await write('a.yaml', text('a', 1));
    await using config = await opened();
    const lines = Array.from(
      { length: 8_000 },
      (_, index) => `  - { key: k, value: v${index}, rate_limit: { unit: day, requests_per_unit: 1 } }\n`,
    );
    await write('a.yaml', text('a', 2) + lines.join(''));
    let longestMs = 0;
    let lastMs = performance.now();
    const timer = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
    }, 1);
    await vi.waitFor(() => expect(config.limit('a')).toBe(2), within(20_000));
    clearInterval(timer);
    expect(longestMs).toBeLessThan(500);
  });
});

describe('files that take minutes to parse', () => {
  // Each key is compared with all before it.
  const endless = `domain: a\n${Array.from({ length: 100_000 }, (_, index) => `k${index}: 1\n`).join('')}`;

  it('are refused', async () => {
    await write('a.yaml', endless);
    const files = await loadEnvoyFiles([directory]);
    const parsing = parseEnvoyFiles(files, { mergeDomains: false, timeoutMs: 500 });
    await expect(parsing).rejects.toThrow(`${at('a.yaml')} can't be parsed within 500 ms`);
  });

  it('do not hold up the end of the watch', async () => {
    await write('a.yaml', text('a', 1));
    const files: readonly EnvoyFile[] = await loadEnvoyFiles([directory]);
    const { logger, entries } = collectingLogger();
    const options = { paths: [directory], mergeDomains: false, files, logger, everyMs: OFTEN_MS };
    const watch = new EnvoyFilesWatch({ ...options, onDefinitions: () => undefined });
    await write('a.yaml', endless);
    await aMoment();
    const started = performance.now();
    await watch[Symbol.asyncDispose]();
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(entries).toEqual([]);
  });
});
