import { setTimeout as sleep } from 'node:timers/promises';
import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type CheckLimitRequestSchema,
  DecisionSource,
} from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import type { FleetMember } from './limiter-fleet.ts';

const SOURCE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(DecisionSource).map(([name, source]) => [source, name]),
);

export type CheckRequest = MessageInitShape<typeof CheckLimitRequestSchema>;

/** What one check was answered, and how fast. Times by performance.now(). */
export interface Answer {
  readonly request: CheckRequest;
  readonly allowed: boolean;
  /** Name of the DecisionSource. */
  readonly source: string;
  readonly remaining: number;
  readonly ms: number;
  readonly atMs: number;
}

/** Asks once. */
export async function ask({ client }: FleetMember, request: CheckRequest): Promise<Answer> {
  const started = performance.now();
  const { allowed, source, remaining } = await client.checkLimit(request);
  const atMs = performance.now();
  const name = SOURCE_NAMES.get(source) ?? String(source);
  return { request, allowed, source: name, remaining, ms: atMs - started, atMs };
}

/** What is left of a key, by a check that counts nothing. */
export async function remainingOf({ client }: FleetMember, request: CheckRequest): Promise<number> {
  const { decision } = await client.peekLimit({ check: request });
  if (decision?.source !== DecisionSource.REDIS) throw new Error('Redis was not asked');
  return decision.remaining;
}

const AT_ONCE = 4;
const PAUSE_MS = 2;

/** Asks without end, four checks of each member at a time, until told to stop. */
export function checkLoad(members: readonly FleetMember[], requestOf: (turn: number) => CheckRequest) {
  const answers: Answer[] = [];
  let running = true;
  let turns = 0;
  const loop = async (member: FleetMember) => {
    while (running) {
      answers.push(await ask(member, requestOf(turns++)));
      await sleep(PAUSE_MS);
    }
  };
  const loops = Promise.all(members.flatMap((member) => Array.from({ length: AT_ONCE }, () => loop(member))));
  const stop = async (): Promise<readonly Answer[]> => {
    running = false;
    await loops;
    return answers;
  };
  return {
    answers,
    /** Checks that are under way at one time, at most. */
    atOnce: members.length * AT_ONCE,
    stop,
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}

/** How many answers came from each source. */
export function sourcesOf(answers: readonly Answer[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { source } of answers) counts[source] = (counts[source] ?? 0) + 1;
  return counts;
}

/** Time of the slowest of some answers, in ms. */
export function slowestMs(answers: readonly Answer[]): number {
  return Math.max(...answers.map(({ ms }) => ms));
}

/**
 * How many units the load was admitted of a key more than are counted there; less than none where more are counted.
 *
 * @param limit that the key was asked for all of, in a window that is not over
 */
export async function uncounted(
  member: FleetMember,
  answers: readonly Answer[],
  { endpoint, identifier }: CheckRequest,
  limit: number,
): Promise<number> {
  const admitted = answers.filter(
    ({ allowed, request }) => allowed && request.endpoint === endpoint && request.identifier === identifier,
  );
  return admitted.length - (limit - (await remainingOf(member, { endpoint, identifier } as CheckRequest)));
}
