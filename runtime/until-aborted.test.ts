import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { untilAborted } from './until-aborted.ts';

/** A source that waits for ever after its items, and what became of it. */
function endless(...items: readonly string[]) {
  const state = { isLeft: false };
  const source: AsyncIterable<string> = {
    [Symbol.asyncIterator]: () => {
      const rest = [...items];
      return {
        next: async () => {
          const value = rest.shift();
          return value === undefined ? await new Promise(() => undefined) : { done: false, value };
        },
        return: async () => {
          state.isLeft = true;
          return { done: true, value: undefined };
        },
      };
    },
  };
  return { source, state };
}

async function all(items: AsyncIterable<string>): Promise<string[]> {
  const read: string[] = [];
  for await (const item of items) read.push(item);
  return read;
}

describe('untilAborted', () => {
  it('gives all items, or what the source throws', async () => {
    const { signal } = new AbortController();
    const good = (async function* () {
      yield* ['a', 'b'];
    })();
    expect(await all(untilAborted(good, signal))).toEqual(['a', 'b']);
    const bad = (async function* () {
      yield 'a';
      throw new Error('of the source');
    })();
    await expect(all(untilAborted(bad, signal))).rejects.toThrow('of the source');
  });

  it('ends with the reason while the source waits, and leaves it', async () => {
    const abort = new AbortController();
    const { source, state } = endless('a');
    const reading = all(untilAborted(source, abort.signal));
    await sleep(5);
    abort.abort(new Error('no more'));
    await expect(reading).rejects.toThrow('no more');
    expect(state.isLeft).toBe(true);
  });

  it('ends at once where it was aborted before', async () => {
    const { source, state } = endless('a');
    await expect(all(untilAborted(source, AbortSignal.abort(new Error('too late'))))).rejects.toThrow(
      'too late',
    );
    expect(state.isLeft).toBe(true);
  });

  it('leaves the source where its reader leaves', async () => {
    const { source, state } = endless('a');
    for await (const item of untilAborted(source, new AbortController().signal)) {
      expect(item).toBe('a');
      break;
    }
    expect(state.isLeft).toBe(true);
  });
});
