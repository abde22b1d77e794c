import { type Percentiles, percentiles } from './percentiles.ts';

/**
 * Asks in turns, one at a time, so that what else the machine does meets all alike.
 *
 * @param asks by name; `turn` counts from 0
 * @returns latencies in milliseconds of `times` turns, after a tenth as many that are not counted.
 */
export async function interleaved<Name extends string>(
  times: number,
  asks: Readonly<Record<Name, (turn: number) => Promise<unknown>>>,
): Promise<Record<Name, Percentiles>> {
  const names = Object.keys(asks) as Name[];
  const taken = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let turn = -Math.ceil(times / 10); turn < times; turn += 1) {
    // Nobody is always the first to find what another has warmed.
    for (const name of turn % 2 === 0 ? names : names.toReversed()) {
      const startedAt = performance.now();
      await asks[name](Math.abs(turn));
      if (turn >= 0) taken.get(name)?.push(performance.now() - startedAt);
    }
  }
  return Object.fromEntries(names.map((name) => [name, percentiles(taken.get(name) ?? [])])) as Record<
    Name,
    Percentiles
  >;
}
