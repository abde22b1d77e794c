import { create, type DescMethod } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { callError } from './call-error.ts';

/**
 * A streaming call that runs: writes the caller's messages and gives the server's.
 *
 * It listens from its making on, because the call may fail long before anybody reads it.
 */
export class StreamCall<I, O> {
  readonly #stream: ClientDuplexStream<I, O>;
  readonly #signal: AbortSignal | undefined;
  #failure: Error | undefined;
  #sourceFailure: ConnectError | undefined;
  #ended = false;
  /** Ends what the writer waits for at the moment. */
  #wakeWriter: (() => void) | undefined;

  constructor(stream: ClientDuplexStream<I, O>, signal: AbortSignal | undefined) {
    this.#stream = stream;
    this.#signal = signal;
    const abort = () => stream.cancel();
    signal?.addEventListener('abort', abort);
    stream.on('error', (error) => {
      this.#failure ??= error;
    });
    // grpc-js ends every call with one status event, after the error event of a call that failed.
    stream.once('status', () => {
      signal?.removeEventListener('abort', abort);
      this.#ended = true;
      this.#wakeWriter?.();
    });
  }

  /**
   * Writes the messages of a source as the server takes them. Never rejects: a source that fails cancels the call,
   * and messages() tells of it. Once the call has ended, the source is told to stop by its return(), also
   * where it is waiting. (An async generator hears of that only when what it awaits has come.)
   */
  async write(method: DescMethod, source: AsyncIterable<unknown>): Promise<void> {
    const stream = this.#stream;
    try {
      for await (const message of this.#untilEnded(source)) {
        if (this.#ended || stream.destroyed) return;
        if (!stream.write(create(method.input, message as never) as I)) await this.#drained();
      }
      if (!this.#ended) stream.end();
    } catch (error) {
      // What a source throws once the call has its outcome changes that outcome no more.
      if (this.#ended) return;
      const message = 'the call was canceled because the source of its request messages failed';
      this.#sourceFailure = new ConnectError(message, Code.Canceled, undefined, undefined, error);
      stream.cancel();
    }
  }

  /**
   * The server's messages. Throws the call's failure, no matter how late reading starts. Of a call that fails, grpc-js
   * drops the messages that were not read by then.
   */
  async *messages(): AsyncIterable<O> {
    try {
      for await (const message of this.#stream) yield message as O;
    } catch (error) {
      throw this.#error(error as Error);
    } finally {
      this.#stream.cancel();
    }
    // The stream tells only those of an error who read it at that moment; to later ones it just ends.
    if (this.#failure !== undefined) throw this.#error(this.#failure);
  }

  #error(error: Error): ConnectError {
    if (this.#sourceFailure !== undefined && this.#signal?.aborted !== true) return this.#sourceFailure;
    return callError(error, this.#signal);
  }

  #untilEnded<T>(source: AsyncIterable<T>): AsyncIterable<T> {
    return {
      [Symbol.asyncIterator]: () => {
        const iterator = source[Symbol.asyncIterator]();
        return {
          next: () =>
            new Promise((resolve, reject) => {
              const stop = () => {
                void release(iterator);
                resolve({ done: true, value: undefined });
              };
              if (this.#ended) {
                stop();
                return;
              }
              this.#wakeWriter = stop;
              // A result that comes after stop() finds the promise settled and changes nothing.
              const settle =
                <V>(settled: (value: V) => void) =>
                (value: V) => {
                  this.#wakeWriter = undefined;
                  settled(value);
                };
              iterator.next().then(settle(resolve), settle(reject));
            }),
          return: async () => {
            await release(iterator);
            return { done: true, value: undefined };
          },
        };
      },
    };
  }

  async #drained(): Promise<void> {
    const stream = this.#stream;
    await new Promise<void>((resolve) => {
      const done = () => {
        for (const event of ['drain', 'status', 'close']) stream.off(event, done);
        resolve();
      };
      for (const event of ['drain', 'status', 'close']) stream.on(event, done);
      if (this.#ended) done();
    });
  }
}

async function release(iterator: AsyncIterator<unknown>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // The call is over, its outcome is settled and is not the source's: nobody is left to be told.
  }
}
