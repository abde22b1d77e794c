import { closeSync, existsSync, openSync, readSync, renameSync, statSync } from 'node:fs';

/** How much of the end of a log is looked at. A line longer than this is cut. */
const TAIL_BYTES = 16 * 1024;

/** Puts the log of the run before aside as `<file>.1`, replacing the one before that. */
export function rotateLog(file: string): void {
  if (existsSync(file)) renameSync(file, `${file}.1`);
}

/** The last lines of a text file that are not blank, oldest first; none where the file can't be read. */
export function lastLines(file: string, count = 8): string[] {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    return [];
  }
  try {
    const { size } = statSync(file);
    const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES));
    const length = readSync(fd, buffer, 0, buffer.length, size - buffer.length);
    const lines = buffer.toString('utf8', 0, length).split('\n');
    return lines.filter((line) => line.trim() !== '').slice(-count);
  } finally {
    closeSync(fd);
  }
}

/** An error message followed by the end of a log, indented. */
export function withLog(message: string, file: string): string {
  const lines = lastLines(file);
  if (lines.length === 0) return `${message} (its log, ${file}, is empty)`;
  return [`${message}; the last lines of ${file}:`, ...lines.map((line) => `    ${line}`)].join('\n');
}
