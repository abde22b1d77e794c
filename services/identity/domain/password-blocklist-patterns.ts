/** Whether a text is one unit of fewer than `unitCharacters` code points, twice or more: `aaaaaaaa`, `abc1abc1`. */
export function isRepetition(text: string, unitCharacters: number): boolean {
  const characters = [...text.toLowerCase()];
  for (let unit = 1; unit < unitCharacters && unit * 2 <= characters.length; unit += 1) {
    if (characters.length % unit !== 0) continue;
    if (characters.every((character, index) => character === characters[index % unit])) return true;
  }
  return false;
}

/** Whether each character follows the one before it, upwards or downwards: `12345678`, `hgfedcba`, `67890123`. */
export function isSequence(text: string): boolean {
  const points = [...text.toLowerCase()].map((character) => character.codePointAt(0) ?? 0);
  const pairs = points.slice(1).map((point, index) => [points[index] ?? 0, point] as const);
  return (
    pairs.length > 0 &&
    (pairs.every(([before, after]) => follows(before, after)) ||
      pairs.every(([before, after]) => follows(after, before)))
  );
}

/** The next in Unicode, which for letters and digits is the alphabet's; after 9 comes 0, as on a keyboard. */
function follows(before: number, after: number): boolean {
  return after === before + 1 || (before === 0x39 && after === 0x30);
}
