import type { DescMethod } from '@bufbuild/protobuf';
import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect';
import {
  type Attributes,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { callEnd, requestHeader } from '../call-context.ts';
import {
  answersStream,
  handlerOf,
  methodName,
  type ServiceTable,
  type StreamHandler,
  type UnaryHandler,
} from '../service-table.ts';
import { runInSpan, runUnrecorded, type SpanScope, spanScope } from './active-span.ts';
import { callAttributes, endCallSpan } from './call-attributes.ts';
import { parseTraceContext } from './trace-context.ts';

/** Makes a span of kind SERVER for each call. */
export class CallSpans {
  readonly #tracer: Tracer;
  readonly #ratio: number;

  /**
   * @param tracer records all that it is asked for: who asks has decided already
   * @param ratio of the traces that begin here, how many are recorded: from 0 to 1
   */
  constructor(tracer: Tracer, ratio: number) {
    this.#tracer = tracer;
    this.#ratio = ratio;
  }

  /** The same table with a span around each call. */
  wrap(table: ServiceTable): ServiceTable {
    const handlers: Record<string, UnaryHandler | StreamHandler> = {};
    for (const method of table.service.methods) {
      const handler = handlerOf(table, method);
      handlers[method.localName] = answersStream(method)
        ? this.#stream(method, handler as StreamHandler)
        : this.#unary(method, handler as UnaryHandler);
    }
    return { ...table, handlers };
  }

  /**
   * Begins the span of a request, as its caller's trace says or, where it brings none, as chance does.
   *
   * @param parent the caller's span
   * @returns undefined where it is not recorded
   */
  start(name: string, attributes: Attributes, parent: SpanContext | undefined): Span | undefined {
    if (!this.#isRecorded(parent)) return undefined;
    const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
    return this.#tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, context);
  }

  /** Where a request runs whose span is begun. */
  scope(span: Span | undefined, parent: SpanContext | undefined): SpanScope {
    if (span !== undefined) return spanScope(this.#tracer, span);
    // The caller's trace goes on with what this call asks of others, unrecorded.
    return parent === undefined ? runUnrecorded : spanScope(this.#tracer, trace.wrapSpanContext(parent));
  }

  #isRecorded(parent: SpanContext | undefined): boolean {
    // Not by the trace's id: most checks begin a trace, and making an id costs more than throwing dice.
    if (parent === undefined) return Math.random() < this.#ratio;
    return (parent.traceFlags & TraceFlags.SAMPLED) !== 0;
  }

  #startCall(name: string, context: HandlerContext, parent: SpanContext | undefined): Span | undefined {
    if (!this.#isRecorded(parent)) return undefined;
    return this.start(name, callAttributes(name, context.protocolName), parent);
  }

  /** A handler that answers at once still does: a promise for each check would cost more than its span. */
  #unary(method: DescMethod, handler: UnaryHandler): UnaryHandler {
    const name = methodName(method);
    return (request, context) => {
      const parent = remoteParent(context);
      const span = this.#startCall(name, context, parent);
      if (span === undefined) return this.scope(span, parent)(() => handler(request, context));
      const succeed = <R>(response: R): R => {
        endCallSpan(span, callEnd(context)?.code);
        return response;
      };
      const fail = (error: unknown): never => {
        endCallSpan(span, ConnectError.from(error).code);
        throw error;
      };
      return runInSpan(this.#tracer, span, () => {
        let response: ReturnType<UnaryHandler>;
        try {
          response = handler(request, context);
        } catch (error) {
          return fail(error);
        }
        return response instanceof Promise ? response.then(succeed, fail) : succeed(response);
      });
    };
  }

  #stream(method: DescMethod, handler: StreamHandler): StreamHandler {
    const name = methodName(method);
    return (request, context) => {
      const parent = remoteParent(context);
      const span = this.#startCall(name, context, parent);
      const scope = this.scope(span, parent);
      const messages = scope(() => handler(request, context)[Symbol.asyncIterator]());
      const end = (code: Code | undefined) => {
        // Some readers leave a stream that has ended.
        if (span?.isRecording()) endCallSpan(span, callEnd(context)?.code ?? code);
      };
      return { [Symbol.asyncIterator]: () => inScope(messages, scope, end) };
    };
  }
}

/** A generator runs on in the context of whoever asks it for the next message: so each step is run in the call's. */
function inScope<T>(
  messages: AsyncIterator<T>,
  scope: SpanScope,
  end: (code: Code | undefined) => void,
): AsyncIterator<T> {
  const step = async (take: () => Promise<IteratorResult<T>>, ending?: Code): Promise<IteratorResult<T>> => {
    try {
      const result = await scope(take);
      if (result.done === true) end(ending);
      return result;
    } catch (error) {
      end(ConnectError.from(error).code);
      throw error;
    }
  };
  const left = async (): Promise<IteratorResult<T>> => ({ done: true, value: undefined });
  return {
    next: () => step(() => messages.next()),
    // Readers that leave early say it by either.
    return: () => step(() => messages.return?.() ?? left(), Code.Canceled),
    throw: (error) => step(() => messages.throw?.(error) ?? Promise.reject(error), Code.Canceled),
  };
}

function remoteParent(context: HandlerContext): SpanContext | undefined {
  const traceparent = requestHeader(context, 'traceparent');
  if (traceparent === undefined) return undefined;
  return parseTraceContext(traceparent, requestHeader(context, 'tracestate'));
}
