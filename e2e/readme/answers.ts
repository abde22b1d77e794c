/** Stands in a printed answer for what was left out: lines, the end of a text, or the content of an object. */
const LEFT_OUT = '...';
const LEFT_OUT_OBJECT = { [LEFT_OUT]: LEFT_OUT };

/** Texts that differ from run to run, whole: a printed one stands for any of its kind. */
const KINDS: readonly RegExp[] = [
  // RFC 3339, with the same precision or another: trailing zeros are left out.
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/,
  // Seconds since 1970, of this century.
  /^[12]\d{9}$/,
  // A duration that was not chosen, but measured.
  /^\d+\.\d+s$/,
];
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Parts of lines of text that differ from run to run or from machine to machine. */
const VARIABLE_PARTS: readonly (readonly [RegExp, string])[] = [
  [/\b127\.0\.0\.1:\d+/g, '127.0.0.1:<port>'],
  [/\b(PostgreSQL|Redis|Valkey) \d+(?:\.\d+)+/g, '$1 <version>'],
  [/\bMigration\d{14}_\w+(?:, Migration\d{14}_\w+)*/g, '<migrations>'],
  [/\d+\.\d s after the start/g, '<seconds> s after the start'],
  [/^(ratelimit: .*;t=)\d+$/g, '$1<seconds>'],
  [/^(retry-after: )\d+$/g, '$1<seconds>'],
  [/^(x-ratelimit-reset: )\d{13}$/g, '$1<milliseconds since 1970>'],
];

/** A line of text, or a JSON object, which may be wrapped. */
type Piece = string | object;

/**
 * Compares what commands wrote with what a page prints. Values that differ from run to run (times, ids, tokens, ports)
 * are compared by their form; all else has to be equal. An id that is printed twice stands for the same id each time.
 */
export class PrintedAnswers {
  readonly #printedIds = new Map<string, string>();
  readonly #actualIds = new Map<string, string>();

  /**
   * The two answers in a form that is equal where the page is right, and shows the difference where it is not: the
   * actual one has the printed value wherever the two differ as they may.
   */
  compare(actual: string, printed: string): { readonly actual: unknown; readonly printed: unknown } {
    const expected = piecesOf(printed);
    let found = piecesOf(actual);
    if (expected.includes(LEFT_OUT)) {
      const wanted = expected.filter((piece) => piece !== LEFT_OUT);
      found = inOrder(found, wanted);
      return { actual: this.#asPrinted(found, wanted), printed: wanted };
    }
    return { actual: this.#asPrinted(found, expected), printed: expected };
  }

  #asPrinted(actual: unknown, printed: unknown): unknown {
    if (typeof actual === 'string' && typeof printed === 'string') {
      return this.#isAsPrinted(actual, printed) ? printed : actual;
    }
    if (Array.isArray(actual) && Array.isArray(printed)) {
      return actual.map((item, index) => this.#asPrinted(item, printed[index]));
    }
    if (!isRecord(actual) || !isRecord(printed)) return actual;
    if (LEFT_OUT in printed) return printed;
    return Object.fromEntries(
      Object.entries(actual).map(([key, value]) => [key, this.#asPrinted(value, printed[key])]),
    );
  }

  #isAsPrinted(actual: string, printed: string): boolean {
    if (actual === printed) return true;
    if (printed.endsWith(LEFT_OUT)) return actual.startsWith(printed.slice(0, -LEFT_OUT.length));
    if (KINDS.some((kind) => kind.test(actual) && kind.test(printed))) return true;
    const version = UUID.exec(printed)?.[1];
    if (version !== undefined) return UUID.exec(actual)?.[1] === version && this.#isSameId(actual, printed);
    return formOf(actual) === formOf(printed);
  }

  #isSameId(actual: string, printed: string): boolean {
    if (!this.#printedIds.has(printed) && !this.#actualIds.has(actual)) {
      this.#printedIds.set(printed, actual);
      this.#actualIds.set(actual, printed);
    }
    return this.#printedIds.get(printed) === actual;
  }
}

function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] as string;
    let end = at + 1;
    let value = line.startsWith('{') ? parsed(line) : undefined;
    while (line.startsWith('{') && value === undefined && end < lines.length) {
      end += 1;
      value = parsed(lines.slice(at, end).join('\n'));
    }
    pieces.push(value ?? line.trim());
    if (value !== undefined) at = end - 1;
  }
  return pieces;
}

function parsed(text: string): object | undefined {
  try {
    return JSON.parse(text.replaceAll('{ ... }', JSON.stringify(LEFT_OUT_OBJECT))) as object;
  } catch {
    return undefined;
  }
}

/** Those of the pieces that the page prints, in its order; the next piece itself where one can't be found. */
function inOrder(actual: readonly Piece[], printed: readonly Piece[]): Piece[] {
  const found: Piece[] = [];
  let next = 0;
  for (const wanted of printed) {
    const at = actual.findIndex((piece, index) => index >= next && isAlike(piece, wanted));
    const taken = actual[at < 0 ? next : at];
    if (taken !== undefined) found.push(taken);
    if (at >= 0) next = at + 1;
  }
  return found;
}

function isAlike(actual: Piece, printed: Piece): boolean {
  if (typeof actual !== 'string' || typeof printed !== 'string') return typeof actual === typeof printed;
  return formOf(actual) === formOf(printed);
}

function formOf(line: string): string {
  // HTTP/1.1 header names have no case.
  const lower = line.replace(/^[\w-]+(?=: )/, (name) => name.toLowerCase());
  return VARIABLE_PARTS.reduce((form, [pattern, replacement]) => form.replace(pattern, replacement), lower);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
