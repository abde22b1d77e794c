/**
 * The items of a source until the signal is aborted; then it ends, also where the source waits for the next one. An item
 * that had not been handed on by then is dropped.
 */
export function endedBy<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: () => new EndedIterator(source[Symbol.asyncIterator](), signal) };
}

/** By hand, since Promise.race() with a promise that outlives the items would keep something of each of them. */
class EndedIterator<T> implements AsyncIterator<T, undefined> {
  readonly #source: AsyncIterator<T>;
  readonly #signal: AbortSignal;
  #waiting: PromiseWithResolvers<IteratorResult<T, undefined>> | undefined;
  readonly #end = () => {
    this.#release();
    this.#waiting?.resolve({ done: true, value: undefined });
  };

  constructor(source: AsyncIterator<T>, signal: AbortSignal) {
    this.#source = source;
    this.#signal = signal;
    signal.addEventListener('abort', this.#end);
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const waiting = Promise.withResolvers<IteratorResult<T, undefined>>();
    this.#waiting = waiting;
    if (this.#signal.aborted) {
      this.#end();
    } else {
      this.#source.next().then(
        (result) => {
          if (result.done === true) this.#end();
          else waiting.resolve(result);
        },
        (error: unknown) => {
          this.#signal.removeEventListener('abort', this.#end);
          waiting.reject(error);
        },
      );
    }
    return waiting.promise;
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#end();
    return Promise.resolve({ done: true, value: undefined });
  }

  #release(): void {
    this.#signal.removeEventListener('abort', this.#end);
    // A source that waits hears of it only when what it waits for has come; how it ends is nobody's then.
    this.#source.return?.().catch(() => undefined);
  }
}
