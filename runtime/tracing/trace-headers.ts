import type { Span } from '@opentelemetry/api';
import { activeSpanContext } from './active-span.ts';
import { formatTraceContext } from './trace-context.ts';

/**
 * The headers that carry the trace of this call to another server: W3C Trace Context. Baggage is not among them: it holds
 * whatever callers put there, which is theirs to give to others.
 *
 * @param span of the request; undefined where there is none
 * @returns none while nobody traces
 */
export function traceHeaders(span: Span | undefined): Readonly<Record<string, string>> {
  const context = span?.spanContext() ?? activeSpanContext();
  return context === undefined ? {} : formatTraceContext(context);
}
