/**
 * Text of a comment or a setting as Markdown prose: what stands between backquotes stays, what Markdown or HTML would
 * take for markup elsewhere does not count as such.
 *
 * @param linked what becomes of a piece of prose that stands between no backquotes, after it was escaped.
 */
export function prose(text: string, linked: (piece: string) => string = (piece) => piece): string {
  return text
    .split(/(`[^`]*`)/)
    .map((piece, index) => (index % 2 === 1 ? piece : linked(piece.replace(/[<>*[\]]/g, '\\$&'))))
    .join('');
}

/** A table. Pipes in cells are escaped, line breaks become spaces. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ')).join(' | ')} |`;
  return [row(header), `|${'---|'.repeat(header.length)}`, ...rows.map(row)].join('\n');
}

/** The anchor that Markdown viewers (GitHub's rules) give a heading, with the first of its name on the page. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, '')
    .replaceAll(' ', '-');
}

/** A word that is code. */
export function code(text: string): string {
  return `\`${text}\``;
}

/** Blocks with an empty line between each two. */
export function page(blocks: readonly string[]): string {
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}
