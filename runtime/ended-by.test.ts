import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { endedBy } from './ended-by.ts';

/** Items that come when the test sends them, and whether the source was left. */
function pipe() {
  const state = { isLeft: false };
  const items = new TransformStream<string, string>();
  const writer = items.writable.getWriter();
  const source = (async function* () {
    try {
      yield* items.readable;
    } finally {
      state.isLeft = true;
    }
  })();
  return { source, state, writer };
}

describe('endedBy', () => {
  it('gives all items, then what the source ends with', async () => {
    const { signal } = new AbortController();
    for (const end of ['close', 'abort'] as const) {
      const { source, writer } = pipe();
      const iterator = endedBy(source, signal)[Symbol.asyncIterator]();
      void writer.write('a');
      expect(await iterator.next()).toEqual({ done: false, value: 'a' });
      const last = iterator.next();
      writer[end](new Error('broken')).catch(() => undefined);
      if (end === 'close') expect(await last).toEqual({ done: true, value: undefined });
      else await expect(last).rejects.toThrow('broken');
    }
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('ends with the signal where the source waits; what comes then is dropped', async () => {
    const abort = new AbortController();
    const { source, state, writer } = pipe();
    const iterator = endedBy(source, abort.signal)[Symbol.asyncIterator]();
    const waiting = iterator.next();
    abort.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
    void writer.write('late');
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    await expect.poll(() => state.isLeft).toBe(true);
  });

  it('is over from the beginning where the signal was aborted before', async () => {
    const { source } = pipe();
    const iterator = endedBy(source, AbortSignal.abort())[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  it('leaves the source with its reader', async () => {
    const { signal } = new AbortController();
    const { source, state, writer } = pipe();
    void writer.write('a');
    for await (const item of endedBy(source, signal)) {
      expect(item).toBe('a');
      break;
    }
    await expect.poll(() => state.isLeft).toBe(true);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
