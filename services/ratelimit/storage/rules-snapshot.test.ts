import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collectingLogger } from '../../../testing/collecting-logger.ts';
import { defineRule } from '../domain/rule.ts';
import { MemoryLiveRules } from './memory-live-rules.ts';
import { RulesSnapshot } from './rules-snapshot.ts';

const [ORDERS, REPORTS] = ['orders', 'reports'].map((name) =>
  defineRule({ name, limits: [{ limit: 7, windowMicros: 60_000_000 }], onStoreFailure: 'FAIL_OPEN' }),
) as [ReturnType<typeof defineRule>, ReturnType<typeof defineRule>];

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rules-snapshot-'));
  file = join(directory, 'live-rules');
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

/** Live rules of a process, with what it logs. They are disposed once their snapshot is written. */
async function liveRules(path: string) {
  const { logger, entries } = collectingLogger();
  const snapshot = new RulesSnapshot(path, logger);
  const live = new MemoryLiveRules(snapshot);
  await live.start();
  return {
    live,
    log: () => entries.map(({ msg }) => msg),
    [Symbol.asyncDispose]: () => snapshot[Symbol.asyncDispose](),
  };
}

describe('the snapshot of live rules', () => {
  it('has them for the next start', async () => {
    {
      await using one = await liveRules(file);
      await one.live.change(() => [ORDERS]);
      await one.live.change((rules) => [...rules, REPORTS]);
    }
    await using two = await liveRules(file);
    expect(two.live.rules).toEqual([ORDERS, REPORTS]);
    expect(two.log()).toEqual([]);
  });

  it('is one file, for its owner only', async () => {
    {
      await using one = await liveRules(file);
      for (let times = 0; times < 5; times += 1) await one.live.change(() => [ORDERS]);
    }
    expect(await readdir(directory)).toEqual(['live-rules']);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it.each(['damaged', '', '5.0\n{"rules":[{"name":""}]}'])(
    'is left aside where it is damaged, and written anew: %j',
    async (text) => {
      await writeFile(file, text);
      {
        await using one = await liveRules(file);
        expect(one.live.rules).toEqual([]);
        expect(one.log()).toEqual(['the snapshot of the live rules is no use']);
        await one.live.change(() => [ORDERS]);
      }
      expect(await readFile(file, 'utf8')).toContain('"orders"');
    },
  );

  it('that can not be written is told of, and the rules hold all the same', async () => {
    const one = await liveRules(join(directory, 'missing', 'file'));
    await one.live.change(() => [ORDERS]);
    await one[Symbol.asyncDispose]();
    expect(one.log()).toEqual(['the live rules have no snapshot']);
    expect(one.live.rules).toEqual([ORDERS]);
  });
});
