import { z } from 'zod';
import type { TopFigures } from '../domain/top-keys.ts';
import { cutSummary, type TopSummary } from '../domain/top-summary.ts';

/** Entries of each order that a process tells the others: some 20 KB in all, 200 KB with the longest names. */
const SHARED_ENTRIES = 200;

const count = z.number().int().nonnegative();
const summary = z.object({
  floor: count,
  entries: z.array(z.tuple([z.string().max(128), z.string().max(256), count, count])).max(SHARED_ENTRIES),
});
const figures = z.object({ since: count, denied: summary, checked: summary });

/** Figures as JSON, cut to the first {@link SHARED_ENTRIES} of each order. */
export function writeFigures({ sinceMicros, denied, checked }: TopFigures): string {
  return JSON.stringify({ since: sinceMicros, denied: flat(denied), checked: flat(checked) });
}

/** The figures that a text holds; undefined where it is none that writeFigures() makes. */
export function readFigures(text: string): TopFigures | undefined {
  const read = figures.safeParse(json(text));
  if (!read.success) return undefined;
  const { since, denied, checked } = read.data;
  return { sinceMicros: since, denied: named(denied), checked: named(checked) };
}

function flat(full: TopSummary): z.infer<typeof summary> {
  const { entries, floor } = cutSummary(full, SHARED_ENTRIES);
  return {
    floor,
    entries: entries.map(({ endpoint, identifier, count, error }) => [endpoint, identifier, count, error]),
  };
}

function named({ entries, floor }: z.infer<typeof summary>): TopSummary {
  return {
    floor,
    entries: entries.map(([endpoint, identifier, count, error]) => ({ endpoint, identifier, count, error })),
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
