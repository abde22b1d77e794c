import { type Span, SpanStatusCode } from '@opentelemetry/api';
import { activeSpan, startClientSpan } from '../../../runtime/tracing/active-span.ts';
import type { RedisCallName } from './redis-call-observer.ts';
import type { RedisNode } from './redis-node.ts';

/**
 * Begins the span of a script's call, by the semantic conventions for Redis. Keys hold identifiers, so it has only their
 * number.
 *
 * @returns undefined where the caller isn't traced
 */
export function startScriptSpan(script: RedisCallName, keys: number, node: RedisNode): Span | undefined {
  if (activeSpan() === undefined) return undefined;
  const { host, port, database } = node.server;
  return startClientSpan(`EVALSHA ${script}`, {
    'db.system.name': 'redis',
    'db.namespace': String(database),
    'db.operation.name': 'EVALSHA',
    'db.stored_procedure.name': script,
    'server.address': host,
    'server.port': port,
    'optix.keys': keys,
  });
}

/** Ends a span with what it was made for, and passes that on. @param batch how many asks shared the call */
export function endingSpan<T>(span: Span, answer: Promise<T>, batch = () => 1): Promise<T> {
  return answer.then(
    (value) => {
      // By the conventions one operation is no batch.
      if (batch() > 1) span.setAttribute('db.operation.batch.size', batch());
      span.end();
      return value;
    },
    (error: unknown) => {
      // The text of an error may hold what Redis says of a key.
      span.setAttribute('error.type', error instanceof Error ? error.name : 'Error');
      span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
      throw error;
    },
  );
}
