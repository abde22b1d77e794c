import { createTraceState, type SpanContext, TraceFlags } from '@opentelemetry/api';

/** Version, trace id, parent id, flags; what a later version appends comes after one more dash. */
const TRACEPARENT = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-.*)?$/;

/**
 * Reads the headers of W3C Trace Context (level 1, section 3.2 and 3.3) that came with a request.
 *
 * @param tracestate counts for nothing beyond 512 characters or 32 members
 * @returns undefined for a traceparent that is not valid: a trace of its own begins then
 */
export function parseTraceContext(
  traceparent: string,
  tracestate: string | undefined,
): SpanContext | undefined {
  const [, version, traceId, spanId, flags, more] = TRACEPARENT.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === '00' && more !== undefined) return undefined;
  return {
    traceId,
    spanId,
    // Of the flags this level knows one, and says that no other is to be passed on.
    traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED,
    isRemote: true,
    ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
  };
}

/** The same as headers, of version 00. */
export function formatTraceContext(context: SpanContext): Readonly<Record<string, string>> {
  const { traceId, spanId, traceFlags } = context;
  const traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
  const tracestate = context.traceState?.serialize() ?? '';
  return tracestate === '' ? { traceparent } : { traceparent, tracestate };
}
