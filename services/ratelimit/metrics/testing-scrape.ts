import { exposition } from '../../../runtime/metrics/exposition.ts';
import type { Metrics } from '../../../runtime/metrics/metrics.ts';

/** Lines of a text of metrics that begin so, by what stands before the value. */
export function linesOf(text: string, start: string): Record<string, number> {
  const lines = text.split('\n').filter((line) => line.startsWith(start));
  return Object.fromEntries(lines.map((line) => [line.replace(/ \S+$/, ''), Number(/\S+$/.exec(line)?.[0])]));
}

/** How many series a text of metrics has, of those whose name matches. */
export function seriesOf(text: string, name = /^/): number {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#') && name.test(line)).length;
}

/** What a scrape of these metrics reads. */
export async function scrape({ registry }: Metrics): Promise<string> {
  return await exposition(registry, 'prometheus');
}
