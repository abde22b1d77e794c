/** More slips than these are another word. */
const MAX_SLIPS = 2;

/** The name that was most likely meant: one that begins so, or is one or two slips of the keyboard away. */
export function nearestName(typed: string, names: readonly string[]): string | undefined {
  if (typed === '') return undefined;
  const allowed = Math.min(MAX_SLIPS, Math.floor(typed.length / 2));
  const near = names
    .map((name) => ({ name, slips: name.startsWith(typed) ? 0 : slipsBetween(typed, name) }))
    .filter(({ slips }) => slips <= allowed)
    .sort((one, other) => one.slips - other.slips);
  return near[0]?.name;
}

/** Characters put in, left out, changed, or swapped with their neighbour (optimal string alignment distance). */
function slipsBetween(one: string, other: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 1; row <= one.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const isSame = one[row - 1] === other[column - 1];
      const isSwapped = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      current[column] = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (isSame ? 0 : 1),
        row > 1 && column > 1 && isSwapped ? at(beforeLast, column - 2) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    beforeLast = last;
    last = current;
  }
  return at(last, other.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
