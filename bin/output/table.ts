import { printable } from './printable.ts';

const GAP = '  ';
/** With its unit or its sign, as `1,000`, `12.5%`, `-3` and `40ms`. */
const NUMBER = /^-?\d[\d,.]*(?:%|[a-zµ]{1,2})?$/;
/** Marks that stand on the character before them. */
const ZERO_WIDTH = /^(?:\p{Mn}|\p{Me}|\p{Cf})$/u;
/** Two columns each: East Asian Width W and F (Unicode Standard Annex 11), in ranges, and emoji. */
const DOUBLE_WIDTH =
  /^(?:[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation})$/u;

/**
 * Aligned columns, two spaces apart, for people. Columns of numbers alone stand at the right. Ends without a line break.
 * Where that is wider than the terminal, each row is a block of `title  cell` lines instead: no line is broken in two.
 *
 * @param rows a cell for each title; what a terminal would take for a command is written as `\u{1b}`
 * @param terminalColumns undefined where the output is no terminal, and any width will do
 */
export function tableText(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  terminalColumns: number | undefined = process.stdout.columns,
): string {
  const cells = rows.map((row) => row.map(printable));
  const isNumber = titles.map((_, column) => {
    const filled = cells.map((row) => row[column] ?? '').filter((cell) => cell !== '');
    return filled.length > 0 && filled.every((cell) => NUMBER.test(cell));
  });
  const lines = [titles, ...cells];
  const widths = titles.map((_, column) => widest(lines.map((line) => line[column] ?? '')));
  const total = widths.reduce((sum, width) => sum + width, GAP.length * (titles.length - 1));
  if (terminalColumns !== undefined && total > terminalColumns && rows.length > 0) {
    return blocksText(titles, cells);
  }
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

function blocksText(titles: readonly string[], cells: readonly (readonly string[])[]): string {
  const titleWidth = widest(titles);
  return cells
    .map((row) =>
      titles
        .map((title, column) => `${title.padEnd(titleWidth)}${GAP}${row[column] ?? ''}`.trimEnd())
        .join('\n'),
    )
    .join('\n\n');
}

function widest(texts: readonly string[]): number {
  // Not spread into Math.max: there may be more rows than a call takes arguments.
  return texts.reduce((most, text) => Math.max(most, width(text)), 0);
}

function width(text: string): number {
  let columns = 0;
  for (const character of text) {
    if (DOUBLE_WIDTH.test(character)) columns += 2;
    else if (!ZERO_WIDTH.test(character)) columns += 1;
  }
  return columns;
}
