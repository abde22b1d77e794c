import { Writable } from 'node:stream';
import { type Logger, pino } from 'pino';

/** One line of the log, parsed. */
export type LogEntry = Readonly<Record<string, unknown>>;

/** A logger whose lines can be looked at. */
export function collectingLogger(): { readonly logger: Logger; readonly entries: LogEntry[] } {
  const entries: LogEntry[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      entries.push(JSON.parse(chunk.toString()) as LogEntry);
      callback();
    },
  });
  return { logger: pino({ level: 'trace' }, stream), entries };
}
