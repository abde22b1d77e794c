/** Items whose keys are in one slot. */
export interface SlotGroup<T> {
  readonly slot: number;
  /** In their order. */
  readonly items: readonly T[];
  /** Where each was among all. */
  readonly places: readonly number[];
}

/** Groups items by slot, the groups in order of their first items. */
export function bySlot<T>(all: readonly T[], slotOf: (item: T) => number): readonly SlotGroup<T>[] {
  const groups = new Map<number, { slot: number; items: T[]; places: number[] }>();
  for (const [place, item] of all.entries()) {
    const slot = slotOf(item);
    let group = groups.get(slot);
    if (group === undefined) {
      group = { slot, items: [], places: [] };
      groups.set(slot, group);
    }
    group.items.push(item);
    group.places.push(place);
  }
  return [...groups.values()];
}

/** Asks for items slot by slot, all at once, and puts what is answered back into the order of the items. */
export async function eachSlot<T, R>(
  all: readonly T[],
  slotOf: (item: T) => number,
  ask: (slot: number, items: readonly T[]) => Promise<readonly R[]> | readonly R[],
): Promise<readonly R[]> {
  const groups = bySlot(all, slotOf);
  const answers = await Promise.all(groups.map(({ slot, items }) => ask(slot, items)));
  const results: R[] = [];
  for (const [group, { places }] of groups.entries()) {
    for (const [index, place] of places.entries()) results[place] = answers[group]?.[index] as R;
  }
  return results;
}
