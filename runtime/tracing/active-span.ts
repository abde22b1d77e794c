import { AsyncLocalStorage } from 'node:async_hooks';
import { type Attributes, ROOT_CONTEXT, type Span, SpanKind, type Tracer, trace } from '@opentelemetry/api';

interface Active {
  readonly tracer: Tracer;
  readonly span: Span;
}

/**
 * The span of the call that is being answered. Of this module and not of OpenTelemetry's global: two services in a process
 * have a tracer each. While nobody traces it is never entered, and asking it costs some nanoseconds.
 */
const active = new AsyncLocalStorage<Active>();

/** Runs something as part of a span: spans and log lines that it makes belong to it. */
export function runInSpan<T>(tracer: Tracer, span: Span, work: () => T): T {
  return active.run({ tracer, span }, work);
}

/** The span of this call; undefined where there is none, or nobody records it. */
export function activeSpan(): Span | undefined {
  return active.getStore()?.span;
}

/**
 * Begins a span of kind CLIENT for something that this call asks of another server. The caller ends it.
 *
 * @returns undefined where this call isn't recorded: nothing is to be done then.
 */
export function startClientSpan(name: string, attributes: Attributes): Span | undefined {
  const parent = active.getStore();
  if (!parent?.span.isRecording()) return undefined;
  const context = trace.setSpan(ROOT_CONTEXT, parent.span);
  return parent.tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, context);
}
