import type { Attributes, HrTime, Link } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';

/** The bit of a span's or a link's flags that says whether the next one means anything (opentelemetry.proto.trace.v1). */
const KNOWS_REMOTE = 0x100;
const IS_REMOTE = 0x200;

/**
 * Spans of one service as an ExportTraceServiceRequest in OTLP's JSON: ids in hex, 64-bit integers as text (OTLP
 * specification, "JSON Protobuf Encoding").
 */
export function encodeSpans(spans: readonly ReadableSpan[]): string {
  const [first] = spans;
  if (first === undefined) return '{"resourceSpans":[]}';
  const { resource, instrumentationScope } = first;
  const scope = { name: instrumentationScope.name, version: instrumentationScope.version };
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: keyValues(resource.attributes as Attributes) },
        scopeSpans: [{ scope, spans: spans.map(encodeSpan) }],
      },
    ],
  });
}

function encodeSpan(span: ReadableSpan) {
  const { traceId, spanId, traceState, traceFlags } = span.spanContext();
  const parent = span.parentSpanContext;
  return {
    traceId,
    spanId,
    parentSpanId: parent?.spanId,
    traceState: traceState?.serialize(),
    flags: flagsOf(traceFlags, parent?.isRemote),
    name: span.name,
    // The API's kinds begin at 0, where the protocol has "unspecified".
    kind: span.kind + 1,
    startTimeUnixNano: nanoseconds(span.startTime),
    endTimeUnixNano: nanoseconds(span.endTime),
    attributes: keyValues(span.attributes),
    droppedAttributesCount: span.droppedAttributesCount,
    events: span.events.map(({ name, time, attributes = {} }) => ({
      name,
      timeUnixNano: nanoseconds(time),
      attributes: keyValues(attributes),
    })),
    droppedEventsCount: span.droppedEventsCount,
    links: span.links.map(encodeLink),
    droppedLinksCount: span.droppedLinksCount,
    status: span.status,
  };
}

function encodeLink({ context, attributes = {} }: Link) {
  const { traceId, spanId, traceState, traceFlags, isRemote } = context;
  return {
    traceId,
    spanId,
    traceState: traceState?.serialize(),
    flags: flagsOf(traceFlags, isRemote),
    attributes: keyValues(attributes),
  };
}

function flagsOf(traceFlags: number, isRemote: boolean | undefined): number {
  return traceFlags | KNOWS_REMOTE | (isRemote === true ? IS_REMOTE : 0);
}

function nanoseconds([seconds, nanos]: HrTime): string {
  return `${seconds}${String(Math.trunc(nanos)).padStart(9, '0')}`;
}

function keyValues(attributes: Attributes) {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) }));
}

/** What is none of the types that attributes have is sent as no value. */
function anyValue(value: unknown): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  }
  return Array.isArray(value) ? { arrayValue: { values: value.map(anyValue) } } : {};
}
