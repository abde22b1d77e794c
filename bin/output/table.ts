const GAP = '  ';
/** With its unit or its sign, as `1,000`, `12.5%`, `-3` and `40ms`. */
const NUMBER = /^-?\d[\d,.]*(?:%|[a-zµ]{1,2})?$/;
/** What moves a terminal's cursor, or turns the direction of text: a name must not be able to. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Aligned columns, two spaces apart, for people. Columns of numbers alone stand at the right. Ends without a line break.
 *
 * @param rows a cell for each title; what a terminal would take for a command is written as `\u{1b}`
 */
export function tableText(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(printable));
  const isNumber = titles.map((_, column) => {
    const filled = cells.map((row) => row[column] ?? '').filter((cell) => cell !== '');
    return filled.length > 0 && filled.every((cell) => NUMBER.test(cell));
  });
  const lines = [titles, ...cells];
  const widths = titles.map((_, column) => Math.max(...lines.map((line) => width(line[column] ?? ''))));
  return lines
    .map((line) => {
      const padded = titles.map((_, column) => {
        const cell = line[column] ?? '';
        const space = ' '.repeat((widths[column] ?? 0) - width(cell));
        return isNumber[column] ? space + cell : cell + space;
      });
      return padded.join(GAP).trimEnd();
    })
    .join('\n');
}

/** A text from elsewhere, harmless on a terminal. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

function width(text: string): number {
  return [...text].length;
}
