import { setTimeout as sleep } from 'node:timers/promises';
import { type Percentiles, percentiles } from './percentiles.ts';

/** What is asked at a fixed rate, whether answers come or not. */
export interface OpenLoop {
  readonly perSecond: number;
  readonly seconds: number;
  /** When the first question is due, in milliseconds from now: keeps loops side by side out of step. Default: 0. */
  readonly offsetMs?: number;
  /** @param turn counts from 0 */
  readonly ask: (turn: number) => Promise<unknown>;
}

/**
 * Runs an open loop in this process, which has to be idle for the most part.
 *
 * @returns latencies in milliseconds, each from the moment the question was due.
 * @throws what the first question that failed was refused with
 */
export async function openLoop({ perSecond, seconds, offsetMs = 0, ask }: OpenLoop): Promise<Percentiles> {
  const startedAt = performance.now() + offsetMs;
  const latencies: number[] = [];
  const asked: Promise<{ error: unknown } | null>[] = [];
  const count = Math.max(1, Math.floor(perSecond * seconds));
  for (let turn = 0; turn < count; turn += 1) {
    const dueAt = startedAt + (turn * 1000) / perSecond;
    const early = dueAt - performance.now();
    if (early > 0) await sleep(early);
    asked.push(
      ask(turn).then(
        () => {
          latencies.push(performance.now() - dueAt);
          return null;
        },
        (error: unknown) => ({ error }),
      ),
    );
  }
  const failure = (await Promise.all(asked)).find((outcome) => outcome !== null);
  if (failure !== undefined && failure !== null) throw failure.error;
  return percentiles(latencies) as Percentiles;
}
