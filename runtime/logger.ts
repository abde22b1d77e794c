import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';
import { loggedError } from './logger-error.ts';
import { withoutSecrets } from './logger-redaction.ts';
import { loggedText } from './logger-text.ts';
import { activeSpan } from './tracing/active-span.ts';

/**
 * What the parts of a service log by. There are no child loggers: one keeps the level that it was made with, and a change
 * while the process runs would not reach it.
 */
export type Logger = Pick<
  PinoLogger,
  'level' | 'isLevelEnabled' | 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'
>;

/** JSON lines, one an event. docs/logs.md describes them. */
export function createLogger(options: {
  readonly service: string;
  readonly level: string;
  readonly debug: boolean;
  /** Default: standard output. */
  readonly destination?: DestinationStream;
}): Logger {
  const { service, level, debug, destination } = options;
  return pino(
    {
      name: service,
      level: debug && level !== 'trace' ? 'debug' : level,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: {
        err: (error: unknown) => loggedError(error),
        // The message of an error, most often.
        reason: (reason: unknown) => (typeof reason === 'string' ? loggedText(reason) : reason),
      },
      formatters: { log: (entry) => withoutSecrets(entry) as Record<string, unknown> },
      mixin: traceIds,
      mixinMergeStrategy: (entry, ids) => (ids === NO_TRACE ? entry : { ...entry, ...ids }),
    },
    destination ?? pino.destination(),
  );
}

const NO_TRACE = {};

/** The trace that the line is part of, under the names of OpenTelemetry's log model in JSON; nothing where it isn't recorded. */
function traceIds(): object {
  const context = activeSpan()?.spanContext();
  if (context === undefined) return NO_TRACE;
  return { trace_id: context.traceId, span_id: context.spanId };
}
