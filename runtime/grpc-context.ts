import type { DescMethod } from '@bufbuild/protobuf';
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextValues,
  type HandlerContext,
} from '@connectrpc/connect';
import { Metadata, type ServerUnaryCall } from '@grpc/grpc-js';
import { MAX_TIMER_MS } from './timers.ts';

/** What every kind of grpc-js server call has. */
export type ServerCall = Pick<
  ServerUnaryCall<unknown, unknown>,
  | 'cancelled'
  | 'metadata'
  | 'getPeer'
  | 'getAuthContext'
  | 'getHost'
  | 'getPath'
  | 'getDeadline'
  | 'sendMetadata'
> & { once(event: 'cancelled', listener: () => void): unknown };

/**
 * Connect's handler context over a grpc-js call. Everything is made when it is first asked for: a handler that looks
 * at nothing pays for nothing, which is most of what keeps a check near the cost of an echo.
 */
export class GrpcContext implements HandlerContext {
  readonly method: DescMethod;
  readonly requestMethod = 'POST';
  readonly protocolName = 'grpc';
  readonly #call: ServerCall;
  #abort: AbortController | undefined;
  #values: ContextValues | undefined;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;

  constructor(method: DescMethod, call: ServerCall) {
    this.method = method;
    this.#call = call;
  }

  get service() {
    return this.method.parent;
  }

  get url(): string {
    return `http://${this.#call.getHost()}${this.#call.getPath()}`;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      const end = () => abort.abort(this.#endReason());
      if (this.#call.cancelled) end();
      else {
        // grpc-js says "cancelled" at the end of every call, whatever ended it; but after a deadline only once the
        // status is out, which a peer that does not read holds up.
        const timeoutMs = this.timeoutMs();
        const timer =
          timeoutMs === undefined ? undefined : setTimeout(end, Math.min(timeoutMs, MAX_TIMER_MS)).unref();
        this.#call.once('cancelled', () => {
          clearTimeout(timer);
          end();
        });
      }
    }
    return this.#abort.signal;
  }

  /** How the call ended for its caller; undefined where the caller still waits. */
  end(): ConnectError | undefined {
    return this.#call.cancelled ? this.#endReason() : undefined;
  }

  #endReason(): ConnectError {
    // Timers fire up to a millisecond early.
    return (this.timeoutMs() ?? Number.POSITIVE_INFINITY) <= 1
      ? new ConnectError('the operation timed out', Code.DeadlineExceeded)
      : new ConnectError('the call was canceled', Code.Canceled);
  }

  get values(): ContextValues {
    this.#values ??= createContextValues();
    return this.#values;
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= headersFromMetadata(this.#call.metadata);
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  timeoutMs(): number | undefined {
    const deadline = this.#call.getDeadline();
    if (deadline === Infinity) return undefined;
    return (deadline instanceof Date ? deadline.getTime() : deadline) - Date.now();
  }

  /** The first value of a metadata entry that holds text. */
  requestMetadata(name: string): string | undefined {
    const value = this.#call.metadata.get(name)[0];
    return typeof value === 'string' ? value : undefined;
  }

  /** The peer's IP address without its port. */
  peerAddress(): string | undefined {
    const peer = this.#call.getPeer();
    const colon = peer.lastIndexOf(':');
    return colon < 0 ? undefined : peer.slice(0, colon).replace(/^\[|\]$/g, '');
  }

  /** The certificate that the peer showed and TLS verified: the same object for all calls of a connection. */
  peerCertificate(): object | undefined {
    return this.#call.getAuthContext().sslPeerCertificate;
  }

  /** Sends the response headers, if the handler set any and they are not sent yet. */
  sendResponseHeader(): void {
    if (this.#responseHeader === undefined) return;
    this.#call.sendMetadata(metadataFromHeaders(this.#responseHeader));
    this.#responseHeader = undefined;
  }

  /** The trailers that the handler set, or undefined where it set none. */
  trailerMetadata(): Metadata | undefined {
    return this.#responseTrailer === undefined ? undefined : metadataFromHeaders(this.#responseTrailer);
  }
}

function headersFromMetadata(metadata: Metadata): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(metadata.toHttp2Headers())) {
    for (const value of [values].flat()) if (value !== undefined) headers.append(name, String(value));
  }
  return headers;
}

/**
 * Converts headers to grpc-js metadata. `-bin` values are base64 in headers, several of them between commas, and bytes
 * in metadata. What gRPC does not carry, anything but printable ASCII, is percent-encoded: grpc-js would throw.
 */
export function metadataFromHeaders(headers: Headers, metadata: Metadata = new Metadata()): Metadata {
  headers.forEach((value, name) => {
    if (name.endsWith('-bin')) {
      for (const part of value.split(',')) metadata.add(name, Buffer.from(part.trim(), 'base64'));
    } else {
      metadata.add(name, value.replace(/[^\x20-\x7e]/g, encodeURIComponent));
    }
  });
  return metadata;
}
