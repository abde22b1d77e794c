import { type Span, SpanStatusCode } from '@opentelemetry/api';
import { activeSpan, startClientSpan } from '../../../../runtime/tracing/active-span.ts';
import { isUnanswered, sqlStateOf } from './connection-failure.ts';
import { statementText } from './sql-text.ts';
import type { StatementFamily } from './statement-families.ts';

/** Where a connection leads. */
export interface ServerAddress {
  /** A name, an address, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
}

/**
 * Begins the span of a statement (OpenTelemetry's semantic conventions for database client spans). Its text has
 * placeholders in place of all values.
 *
 * @returns undefined where this call isn't recorded
 */
export function startStatementSpan(
  { name, operation, table }: StatementFamily,
  sql: string,
  { host, port }: ServerAddress,
): Span | undefined {
  if (!activeSpan()?.isRecording()) return undefined;
  return startClientSpan(name, {
    'db.system.name': 'postgresql',
    'db.operation.name': operation,
    ...(table !== undefined && { 'db.collection.name': table }),
    'db.query.text': statementText(sql),
    'server.address': host,
    'server.port': port,
  });
}

/** Ends the span of a statement that failed. Says how, and not with the error's words: they may repeat values. */
export function endStatementSpan(span: Span | undefined, error: Error): void {
  if (span === undefined) return;
  const sqlState = sqlStateOf(error);
  if (sqlState !== undefined) span.setAttribute('db.response.status_code', sqlState);
  span.setAttribute('error.type', sqlState ?? (isUnanswered(error) ? 'timeout' : '_OTHER'));
  span.setStatus({ code: SpanStatusCode.ERROR, ...(sqlState && { message: `SQLSTATE ${sqlState}` }) });
  span.end();
}
