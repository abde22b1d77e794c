import type { TestService } from '../../../testing/services.ts';

/** What a service tells at this moment: the value of each sample, by its name and labels as they are written. */
export async function scrape({
  httpUrl,
}: Pick<TestService, 'httpUrl'>): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${httpUrl}/metrics`);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

/** The values of a metric that is told by outcome; of those that are above 0. */
export async function outcomesOf(service: TestService, metric: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [sample, value] of await scrape(service)) {
    const [, name, outcome] = /^(\w+)\{outcome="(\w+)"\}$/.exec(sample) ?? [];
    if (name === metric && outcome !== undefined && value > 0) counts[outcome] = value;
  }
  return counts;
}

/** How much more of each there is than there was. */
export function increase(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Record<string, number> {
  const grown = Object.entries(after).map(([key, value]) => [key, value - (before[key] ?? 0)] as const);
  return Object.fromEntries(grown.filter(([, by]) => by !== 0));
}
