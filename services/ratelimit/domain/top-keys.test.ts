import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { TopKeys, type TopKeysOptions } from './top-keys.ts';
import { TopLimited } from './top-limited.ts';

const T = 1_700_000_000_000_000;
let now = T;
const stack = new DisposableStack();
afterEach(() => {
  now = T;
});
afterAll(() => stack.dispose());

function topKeys(options: TopKeysOptions = {}): TopKeys {
  return stack.use(new TopKeys({ clock: () => now, ...options }));
}

function counts(keys: TopKeys, order: 'denied' | 'checked'): readonly (readonly [string, number])[] {
  return keys.figures()[order].entries.map(({ identifier, count }) => [identifier, count]);
}

describe('TopKeys', () => {
  it('ranks keys by denied checks, and by all checks', () => {
    const keys = topKeys();
    for (const denied of [false, false, false]) keys.record('a', 'calm', denied);
    for (const denied of [false, true]) keys.record('a', 'eager', denied);
    expect(counts(keys, 'checked')).toEqual([
      ['calm', 3],
      ['eager', 2],
    ]);
    expect(counts(keys, 'denied')).toEqual([['eager', 1]]);
  });

  it('adds up two generations and forgets the third', () => {
    const keys = topKeys();
    keys.record('a', 'old', true);
    now = T + 1;
    keys.turn();
    keys.record('a', 'old', true);
    keys.record('a', 'new', true);
    expect(keys.figures().sinceMicros).toBe(T);
    expect(counts(keys, 'denied')).toEqual([
      ['old', 2],
      ['new', 1],
    ]);
    now = T + 2;
    keys.turn();
    expect(keys.figures().sinceMicros).toBe(T + 1);
    expect(counts(keys, 'denied')).toEqual([
      ['old', 1],
      ['new', 1],
    ]);
    keys.turn();
    expect(counts(keys, 'denied')).toEqual([]);
  });

  it('turns by itself', async () => {
    const keys = topKeys({ generationMs: 20 });
    keys.record('a', 'x', true);
    await expect.poll(() => counts(keys, 'denied'), { interval: 5 }).toEqual([]);
  });

  it('holds no more than its counters, however many keys come', () => {
    const keys = topKeys({ maxCounters: 5 });
    for (let turn = 0; turn < 1_000; turn += 1) keys.record(`e${turn}`, `i${turn}`, true);
    expect(counts(keys, 'checked')).toHaveLength(5);
    expect(counts(keys, 'denied')).toHaveLength(5);
  });

  it('tells by a number whether anything has changed', async () => {
    const keys = topKeys();
    const before = keys.recorded;
    await sleep(5);
    expect(keys.recorded).toBe(before);
    keys.record('a', 'x', false);
    const after = keys.recorded;
    expect(after).not.toBe(before);
    keys.turn();
    expect(keys.recorded).not.toBe(after);
  });
});

describe('TopLimited', () => {
  it('ranks by the figures of this process alone where there are no others', async () => {
    const keys = topKeys();
    keys.record('a', 'x', true);
    expect(await new TopLimited(keys).list({ order: 'denied', size: 10, endpoint: '' })).toEqual({
      entries: [{ endpoint: 'a', identifier: 'x', count: 1, error: 0 }],
      sinceMicros: T,
      replicas: 1,
    });
  });

  it('adds up the figures of all processes, and tells since when the first counts', async () => {
    const [one, two] = [topKeys(), topKeys({ clock: () => T - 5 })];
    one.record('a', 'x', true);
    two.record('a', 'x', true);
    two.record('a', 'y', false);
    const top = new TopLimited(one, { figures: async () => [two.figures()] });
    expect(await top.list({ order: 'denied', size: 10, endpoint: '' })).toEqual({
      entries: [{ endpoint: 'a', identifier: 'x', count: 2, error: 0 }],
      sinceMicros: T - 5,
      replicas: 2,
    });
    expect(await top.list({ order: 'checked', size: 10, endpoint: '' })).toMatchObject({
      entries: [
        { identifier: 'x', count: 2 },
        { identifier: 'y', count: 1 },
      ],
    });
  });

  it('gives only an endpoint, and only so many', async () => {
    const keys = topKeys();
    for (const identifier of ['x', 'x', 'y']) keys.record('a', identifier, true);
    for (const identifier of ['x', 'x', 'x']) keys.record('b', identifier, true);
    const top = new TopLimited(keys);
    const of = async (size: number, endpoint: string) =>
      (await top.list({ order: 'denied', size, endpoint })).entries.map(
        (each) => each.endpoint + each.identifier,
      );
    expect(await of(10, '')).toEqual(['bx', 'ax', 'ay']);
    expect(await of(2, '')).toEqual(['bx', 'ax']);
    expect(await of(10, 'a')).toEqual(['ax', 'ay']);
    expect(await of(1, 'a')).toEqual(['ax']);
    expect(await of(10, 'c')).toEqual([]);
  });
});
