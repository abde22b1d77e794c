import { Code, ConnectError, createContextKey, type HandlerContext } from '@connectrpc/connect';

/**
 * Set for streams: what the caller is told of an error that fails one item and not the stream. The same as of an error
 * that fails a call, and an unexpected one is logged alike.
 */
export const itemErrorKey = createContextKey<(error: unknown) => ConnectError>(
  () => new ConnectError('internal error', Code.Internal),
  { description: 'item error' },
);

/** A call's context whose signal is also aborted by a second signal: a stream ends when the server shuts down. */
export class StreamContext implements HandlerContext {
  readonly #call: HandlerContext;
  readonly signal: AbortSignal;

  constructor(call: HandlerContext, second: AbortSignal) {
    this.#call = call;
    this.signal = AbortSignal.any([call.signal, second]);
  }

  get method() {
    return this.#call.method;
  }

  get service() {
    return this.#call.service;
  }

  timeoutMs() {
    return this.#call.timeoutMs();
  }

  get requestMethod() {
    return this.#call.requestMethod;
  }

  get requestHeader() {
    return this.#call.requestHeader;
  }

  get responseHeader() {
    return this.#call.responseHeader;
  }

  get responseTrailer() {
    return this.#call.responseTrailer;
  }

  get protocolName() {
    return this.#call.protocolName;
  }

  get values() {
    return this.#call.values;
  }

  get url() {
    return this.#call.url;
  }
}
