import type { RuleSet } from '../domain/rule-set.ts';
import type { EndpointOf } from './endpoint-map.ts';
import { LogIntake } from './log-intake.ts';
import type { LineReader } from './logged-request.ts';
import type { LogLines } from './read-lines.ts';
import { type AskedRequest, Replay } from './replay.ts';
import { reportOf } from './report.ts';
import type { SimulationReport } from './simulation-report.ts';
import { Tally } from './tally.ts';

export interface SimulateOptions {
  readonly log: LogLines;
  readonly rules: RuleSet;
  /** Makes the reader, once the first line that has something in it is there. */
  readonly readerFor: (firstLine: string) => LineReader;
  readonly endpointOf: EndpointOf;
  /** How long after something newer a line may come. */
  readonly reorderMicros: number;
  /** How long each operation takes whose line does not say; undefined: nobody knows. */
  readonly durationMicros?: number | undefined;
  /** Callers of a ranking. Default: 10. */
  readonly top?: number | undefined;
  /** Share of denials, from 0 to below 1, to find limits for. */
  readonly suggestRatio?: number | undefined;
  /** Called after each piece of the log. */
  readonly onProgress?: (() => void) | undefined;
}

/**
 * Replays an access log by its own times through the limiter and the reference models of its algorithms, and tells what
 * would have been allowed and denied.
 *
 * @throws UnreadableLog
 */
export async function simulate(options: SimulateOptions): Promise<SimulationReport> {
  const { log, rules, onProgress, suggestRatio, top = 10 } = options;
  using replay = new Replay(rules);
  const tally = new Tally(rules, suggestRatio !== undefined);
  const intake = new LogIntake(options);
  const decide = async (request: AskedRequest) => {
    if (replay.hasReleases(request.timeMicros)) await replay.release(request.timeMicros);
    tally.add(request, replay.ask(request));
  };
  for await (const lines of log) {
    for (const line of lines) {
      intake.add(line);
      for (let next = intake.next(); next !== undefined; next = intake.next()) await decide(next);
    }
    onProgress?.();
  }
  for (let next = intake.nextOfRest(); next !== undefined; next = intake.nextOfRest()) await decide(next);
  return reportOf(tally, {
    log: { ...intake.figures, withoutDuration: replay.unknownDurations },
    exact: !replay.overflowed,
    top,
    suggestRatio,
  });
}
