import type { RuleSet } from '../domain/rule-set.ts';
import { jsonLineReader, USUAL_FIELD_NAMES } from './json-line.ts';
import type { LogLines } from './read-lines.ts';
import { type SimulateOptions, simulate } from './simulate.ts';
import type { SimulationReport } from './simulation-report.ts';

/** µs since the epoch: a multiple of a minute. */
export const START = 1_700_000_040_000_000;

/** A log of lines that are in memory, given out in pieces of a few. */
export function logOf(lines: readonly string[]): LogLines {
  return {
    sizeBytes: undefined,
    readBytes: 0,
    async *[Symbol.asyncIterator]() {
      for (let at = 0; at < lines.length; at += 7) yield lines.slice(at, at + 7);
    },
  };
}

/** Simulates JSON lines whose `path` is the endpoint, by their `ip`. */
export async function simulateLines(
  rules: RuleSet,
  lines: readonly (object | string)[],
  options: Partial<SimulateOptions> = {},
): Promise<SimulationReport> {
  return await simulate({
    log: logOf(lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)))),
    rules,
    readerFor: () => jsonLineReader(['ip'], USUAL_FIELD_NAMES),
    endpointOf: (_, path) => path.slice(1),
    reorderMicros: 60_000_000,
    ...options,
  });
}
