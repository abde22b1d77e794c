import { createLogger, type Logger } from '../runtime/logger.ts';

/** One line of the log, parsed. */
export type LogEntry = Readonly<Record<string, unknown>>;

/** A logger whose lines can be looked at, as services write them. */
export function collectingLogger(): { readonly logger: Logger; readonly entries: LogEntry[] } {
  const entries: LogEntry[] = [];
  const destination = { write: (line: string) => void entries.push(JSON.parse(line) as LogEntry) };
  return { logger: createLogger({ service: 'test', level: 'trace', debug: false, destination }), entries };
}
