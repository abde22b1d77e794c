import { isIP } from 'node:net';
import { parseLogTime } from './log-time.ts';
import { type LineReader, readRequestLine } from './logged-request.ts';
import { type Sender, type Subject, senderIdentifier } from './subject.ts';

/**
 * Reads lines of the common log format and of the combined one, as Apache and nginx write them, with or without the
 * virtual host before the client:
 *
 *     203.0.113.9 - ada [17/May/2015:10:05:03 +0000] "GET /orders HTTP/1.1" 200 512 "https://referer" "agent"
 *
 * No regular expression reads the line as a whole: what stands in it was chosen by strangers.
 */
export function textLineReader(subjects: readonly Subject[]): LineReader {
  return (line) => {
    const open = line.indexOf(' [');
    const close = line.indexOf(']', open);
    if (open === -1 || close === -1) return 'has no time in brackets';
    const timeMicros = parseLogTime(line.slice(open + 2, close));
    if (Number.isNaN(timeMicros)) return 'has a time that can not be read';
    const names = line.slice(0, open).split(' ');
    // `example.com:443 203.0.113.9 - ada`
    if (isIP(names[1] ?? '') !== 0 && /:\d+$/.test(names[0] ?? '')) names.shift();
    if (names.length < 3 || names[0] === '') return 'has no client, identity and user before the time';
    if (!line.startsWith(' "', close + 1)) return 'has no quoted request after the time';
    const end = endOfQuoted(line, close + 3);
    if (end === -1) return 'has a request without its closing quote';
    const { method, path } = readRequestLine(line.slice(close + 3, end));
    const sender: Sender = {
      ip: names[0],
      // Users may have blanks in their names.
      user: names.length === 3 ? names[2] : names.slice(2).join(' '),
      header: (name) => headerOf(line, end + 1, name),
    };
    const identifier = senderIdentifier(subjects, sender);
    return { timeMicros, identifier, method, path, cost: 1, roles: [], durationMicros: undefined };
  };
}

/** Headers that the combined format has. */
export const TEXT_HEADERS: readonly string[] = ['referer', 'user-agent'];

/** Of `200 512 "referer" "user agent"`. The last line of a log may end within its last field. */
function headerOf(line: string, from: number, name: string): string | undefined {
  let start = line.indexOf('"', from) + 1;
  for (const each of TEXT_HEADERS) {
    if (start === 0) return undefined;
    const end = endOfQuoted(line, start);
    if (each === name) return line.slice(start, end === -1 ? undefined : end);
    start = end === -1 ? 0 : line.indexOf('"', end + 1) + 1;
  }
  return undefined;
}

/** Where the quote is that ends a text; -1 for none. Apache writes a quote within as `\"`, nginx as `\x22`. */
function endOfQuoted(line: string, start: number): number {
  let at = line.indexOf('"', start);
  while (at !== -1 && isEscaped(line, start, at)) at = line.indexOf('"', at + 1);
  return at;
}

function isEscaped(line: string, start: number, at: number): boolean {
  let backslashes = 0;
  while (at - backslashes > start && line[at - backslashes - 1] === '\\') backslashes += 1;
  return backslashes % 2 === 1;
}
