/** pino's level from which on a line is for the operator's eyes at once. */
const WARN = 40;
const LEVELS: Readonly<Record<number, string>> = { 40: 'warning', 50: 'error', 60: 'fatal' };

/**
 * A service's JSON log line as one line for a person, where it is a warning or worse; `undefined` for all others. Text
 * that is no JSON (a crash of Node itself, say) is shown as it is.
 */
export function readableWarning(service: string, line: string): string | undefined {
  const entry = parse(line);
  if (!entry) return line.trim() === '' ? undefined : `${service}: ${line}`;
  const { level, msg, err } = entry;
  if (typeof level !== 'number' || level < WARN) return undefined;
  const cause = typeof err?.message === 'string' ? ` (${err.message})` : '';
  const text = `${service} ${LEVELS[level] ?? `level ${level}`}: ${String(msg ?? '')}${cause}`;
  return text.replaceAll(/\s*\n\s*/g, ' ').trimEnd();
}

function parse(line: string): { level?: unknown; msg?: unknown; err?: { message?: unknown } } | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
