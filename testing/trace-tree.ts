import type { CollectedSpan } from './otlp-collector.ts';

/**
 * The spans of a trace as lines, children below their parents, in the order in which they began: service, name, kind and
 * time. Spans whose parents are not among them stand at the left.
 */
export function traceTree(spans: readonly CollectedSpan[]): string {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const lines: string[] = [];
  const write = (parent: string | undefined, depth: number): void => {
    const children = spans
      .filter(({ parentSpanId }) =>
        depth === 0 ? parentSpanId === undefined || !ids.has(parentSpanId) : parentSpanId === parent,
      )
      .toSorted((one, other) => one.startMicros - other.startMicros);
    for (const { name, kind, resource, durationMicros, spanId } of children) {
      const time = `${(durationMicros / 1000).toFixed(2)} ms`;
      lines.push(`${'  '.repeat(depth)}${String(resource['service.name'])} ${name} (${kind}) ${time}`);
      write(spanId, depth + 1);
    }
  };
  write(undefined, 0);
  return lines.join('\n');
}
