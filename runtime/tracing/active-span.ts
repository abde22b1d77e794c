import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
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

/** Runs something as part of a call. */
export type SpanScope = <T>(work: () => T) => T;

interface Active {
  readonly tracer: Tracer;
  readonly span: Span;
  /** Spans that were asked for within it. */
  inner: number;
}

/**
 * How many spans a call may have within its own. A stream is one call however many checks it asks for, and an import makes
 * a statement for each user: their traces would have no bound.
 */
export const MAX_INNER_SPANS = 1000;

/** Attribute of a call's span: the call showed no credential of a known caller, and was refused. */
export const UNKNOWN_CALLER = 'optix.unknown_caller';

/** A call that began a trace which nobody records. */
const UNRECORDED = Symbol('unrecorded');

/**
 * The span of the call that is being answered. Of this module and not of OpenTelemetry's global: two services in a process
 * have a tracer each. While nobody traces it is never entered, and asking it costs some nanoseconds.
 */
const active = new AsyncLocalStorage<Active | typeof UNRECORDED>();

/** Runs things, one after the other, as parts of one span: spans and log lines that they make belong to it. */
export function spanScope(tracer: Tracer, span: Span): SpanScope {
  const store = { tracer, span, inner: 0 };
  return (work) => active.run(store, work);
}

/** Runs something as part of a span: spans and log lines that it makes belong to it. */
export function runInSpan<T>(tracer: Tracer, span: Span, work: () => T): T {
  return active.run({ tracer, span, inner: 0 }, work);
}

/** Runs something as a call of a trace that begins here and isn't recorded. */
export const runUnrecorded: SpanScope = (work) => active.run(UNRECORDED, work);

/** The span of this call; undefined where there is none: nobody traces, or chance left this trace out. */
export function activeSpan(): Span | undefined {
  return activeRecord()?.span;
}

/**
 * What a request that this call makes tells the other server of its trace. That a trace isn't recorded is told too, or the
 * other would let chance decide again. Undefined while nobody traces.
 */
export function activeSpanContext(): SpanContext | undefined {
  const store = active.getStore();
  if (store !== UNRECORDED) return store?.span.spanContext();
  return {
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    traceFlags: TraceFlags.NONE,
  };
}

/**
 * Begins a span of kind CLIENT for something that this call asks of another server. The caller ends it.
 *
 * @returns undefined where this call isn't recorded, or has {@link MAX_INNER_SPANS} already: nothing is to be done then.
 */
export function startClientSpan(name: string, attributes: Attributes): Span | undefined {
  const parent = activeRecord();
  if (!parent?.span.isRecording()) return undefined;
  parent.inner += 1;
  if (parent.inner > MAX_INNER_SPANS) {
    parent.span.setAttribute('optix.spans_left_out', parent.inner - MAX_INNER_SPANS);
    return undefined;
  }
  const context = trace.setSpan(ROOT_CONTEXT, parent.span);
  return parent.tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, context);
}

function activeRecord(): Active | undefined {
  const store = active.getStore();
  return store === UNRECORDED ? undefined : store;
}
