/** Enough for hundreds of items. */
const MOST_TRIES = 400;

/**
 * Leaves out what isn't needed for something to happen: halves first, then ever smaller pieces (ddmin, Zeller and
 * Hildebrandt 2002). Where it does not happen even with all of them, they are answered as they are.
 */
export async function shortest<T>(
  items: readonly T[],
  happens: (items: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  if (!(await happens(items))) return items;
  let kept = items;
  let size = Math.ceil(kept.length / 2);
  for (let tries = 0; tries < MOST_TRIES; ) {
    let shorter = false;
    for (let from = 0; from < kept.length && tries < MOST_TRIES; ) {
      const without = [...kept.slice(0, from), ...kept.slice(from + size)];
      tries += 1;
      if (await happens(without)) {
        kept = without;
        shorter = true;
      } else {
        from += size;
      }
    }
    if (size === 1 && !shorter) break;
    size = Math.max(1, Math.ceil(size / 2));
  }
  return kept;
}
