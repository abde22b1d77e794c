import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InvalidFile } from '../../../runtime/invalid-file.ts';
import { collectingLogger } from '../../../testing/collecting-logger.ts';
import type { Rule } from '../domain/rule.ts';
import { loadRuleFile, MAX_RULES_FILE_BYTES, parseRuleFile } from './rule-file.ts';
import { RuleFileWatch } from './rule-file-watch.ts';

const rulesText = (limit: number) =>
  `rules:\n  - name: api_default\n    limits: [{ limit: ${limit}, window: 1m }]\n`;

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rule-file-'));
  path = join(directory, 'rules.yaml');
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

/** Watches the file, and shows the limit that is in force. */
async function watched(): Promise<{
  watch: RuleFileWatch;
  limit: () => number | undefined;
  log: readonly string[];
}> {
  const { logger, entries } = collectingLogger();
  const content = await loadRuleFile(path);
  let rules: readonly Rule[] = await parseRuleFile(path, content);
  const onRules = (changed: readonly Rule[]) => {
    rules = changed;
  };
  const watch = new RuleFileWatch({ path, content, logger, onRules });
  return {
    watch,
    limit: () => rules[0]?.limits[0]?.limit,
    get log() {
      return entries.map(({ msg, problems }) => [msg, problems].flat().filter(Boolean).join(' | '));
    },
  };
}

const within = (ms: number) => ({ timeout: ms, interval: 10 });
const aMoment = () => new Promise((resolve) => setTimeout(resolve, 1_000));

describe('a rules file that changes', () => {
  it('is in force within a second', async () => {
    await writeFile(path, rulesText(1));
    const { watch, limit } = await watched();
    await using _ = watch;
    // The best of several: whatever else runs on this machine is not the watch's doing.
    const took: number[] = [];
    for (let next = 2; next < 6; next += 1) {
      const start = performance.now();
      await writeFile(path, rulesText(next));
      await vi.waitFor(() => expect(limit()).toBe(next), within(5_000));
      took.push(performance.now() - start);
    }
    expect(Math.min(...took)).toBeLessThan(1_000);
  });

  it('may be so large that parsing it would take long, for which this process goes on', async () => {
    await writeFile(path, rulesText(1));
    const watching = await watched();
    await using _ = watching.watch;
    const overrides = Array.from(
      { length: 8_000 },
      (_, index) => `      - { identifier: "user:${index}", mode: UNLIMITED }\n`,
    );
    await writeFile(path, `${rulesText(2)}    overrides:\n${overrides.join('')}`);
    let longestMs = 0;
    let lastMs = performance.now();
    const timer = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
    }, 1);
    await vi.waitFor(() => expect(watching.limit()).toBe(2), within(20_000));
    clearInterval(timer);
    expect(longestMs).toBeLessThan(300);
    await writeFile(path, `${rulesText(3)}    overrides:\n${overrides.join('')}${overrides[0]}`);
    await vi.waitFor(
      () => expect(watching.log.at(-1)).toContain('identifier is there twice'),
      within(20_000),
    );
    expect(watching.limit()).toBe(2);
  });

  it('may be replaced by rename', async () => {
    await writeFile(path, rulesText(1));
    const { watch, limit } = await watched();
    await using _ = watch;
    await writeFile(`${path}.new`, rulesText(2));
    await rename(`${path}.new`, path);
    await vi.waitFor(() => expect(limit()).toBe(2), within(5_000));
  });

  it('may stand in a directory that a link is turned to, as config maps do', async () => {
    for (const [name, limit] of [
      ['one', 1],
      ['two', 2],
    ] as const) {
      await mkdir(join(directory, name));
      await writeFile(join(directory, name, 'rules.yaml'), rulesText(limit));
    }
    await symlink('one', join(directory, 'data'));
    await symlink('data/rules.yaml', path);
    const { watch, limit } = await watched();
    await using _ = watch;
    await symlink('two', join(directory, 'next'));
    await rename(join(directory, 'next'), join(directory, 'data'));
    await vi.waitFor(() => expect(limit()).toBe(2), within(5_000));
  });

  it('is refused whole where it is bad, which is logged once, until it is good again', async () => {
    await writeFile(path, rulesText(1));
    const watching = await watched();
    await using _ = watching.watch;
    await writeFile(path, rulesText(0));
    await vi.waitFor(() => expect(watching.log).toHaveLength(1), within(5_000));
    await aMoment();
    expect(watching.limit()).toBe(1);
    expect(watching.log).toEqual([
      `the rules file is refused: the rules stay as they were | ${path}:3:16 rules[0].limits[0].limit must be an integer from 1 to 100000 with SLIDING_WINDOW_LOG; larger ones take another algorithm`,
    ]);
    await writeFile(path, rulesText(2));
    await vi.waitFor(() => expect(watching.limit()).toBe(2), within(5_000));
    expect(watching.log[1]).toBe('rules are good again');
  });

  it('that goes away leaves the rules in force', async () => {
    await writeFile(path, rulesText(1));
    const watching = await watched();
    await using _ = watching.watch;
    await rm(path);
    await vi.waitFor(() => expect(watching.log).toHaveLength(1), within(5_000));
    expect(watching.log[0]).toContain(`${path} can't be read: ENOENT`);
    expect(watching.limit()).toBe(1);
    await writeFile(path, rulesText(3));
    await vi.waitFor(() => expect(watching.limit()).toBe(3), within(5_000));
  });

  it('comes back to what it was, after a bad content, as good again', async () => {
    await writeFile(path, rulesText(1));
    const watching = await watched();
    await using _ = watching.watch;
    await writeFile(path, 'rules: [');
    await vi.waitFor(() => expect(watching.log).toHaveLength(1), within(5_000));
    await writeFile(path, rulesText(1));
    await vi.waitFor(() => expect(watching.log[1]).toBe('rules are good again'), within(5_000));
  });

  it('is not taken before it was written to its end', async () => {
    await writeFile(path, rulesText(1));
    const { watch, limit } = await watched();
    await using _ = watch;
    const seen = new Set<number | undefined>();
    for (let step = 100; step < 120; step += 1) {
      await writeFile(path, rulesText(step));
      await new Promise((resolve) => setTimeout(resolve, 50));
      seen.add(limit());
    }
    await vi.waitFor(() => expect(limit()).toBe(119), within(5_000));
    expect([...seen]).toEqual([1]);
  });
});

describe('a rules file that takes minutes to parse', () => {
  // Each key is compared with all before it.
  const endless = `rules: []\n${Array.from({ length: 100_000 }, (_, index) => `k${index}: 1\n`).join('')}`;

  it('is refused', async () => {
    const parsing = parseRuleFile(path, Buffer.from(endless), { timeoutMs: 500 });
    await expect(parsing).rejects.toThrow("can't be parsed within 500 ms");
    await expect(parsing).rejects.toThrow(InvalidFile);
  });

  it('does not hold up the end of the watch', async () => {
    await writeFile(path, rulesText(1));
    const { watch, log } = await watched();
    await writeFile(path, endless);
    await aMoment();
    const started = performance.now();
    await watch[Symbol.asyncDispose]();
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(log).toEqual([]);
  });
});

describe('a file that can not be a rules file', () => {
  const problem = async () => {
    try {
      await parseRuleFile(path, await loadRuleFile(path));
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidFile);
      return (error as InvalidFile).problems[0];
    }
    return undefined;
  };

  it.each([
    ['is missing', async () => undefined, "rules.yaml can't be read: ENOENT"],
    ['is a directory', async () => await mkdir(path), 'rules.yaml is not a file'],
    ['is not UTF-8', async () => await writeFile(path, Buffer.from([0x72, 0xff])), 'rules.yaml is not UTF-8'],
    [
      'is too large',
      async () => await writeFile(path, Buffer.alloc(MAX_RULES_FILE_BYTES + 1, ' ')),
      'rules.yaml has more than 4194304 bytes',
    ],
  ])('is refused where it %s', async (_, make, text) => {
    await make();
    expect(await problem()).toContain(text);
  });
});
