/**
 * The items of a source until the signal is aborted, then its reason, also where the source waits for the next one: that
 * wait goes on, and its outcome is nobody's.
 */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> {
  const iterator = source[Symbol.asyncIterator]();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  // Nobody may be waiting when it is rejected.
  aborted.catch(() => undefined);
  const stop = () => reject(signal.reason);
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    for (;;) {
      const item = await Promise.race([aborted, iterator.next()]);
      if (item.done === true) return;
      yield item.value;
    }
  } finally {
    signal.removeEventListener('abort', stop);
    const left = iterator.return?.();
    // A source that waits hears of it only when what it waits for has come.
    if (signal.aborted) left?.catch(() => undefined);
    else await left;
  }
}
