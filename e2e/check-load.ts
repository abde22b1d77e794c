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

/** Asks without end, some checks of each member at a time, until told to stop. */
export function checkLoad(
  members: readonly FleetMember[],
  requestOf: (turn: number) => CheckRequest,
  { atOnce = 4, pauseMs = 2 } = {},
) {
  const answers: Answer[] = [];
  let running = true;
  let turns = 0;
  const loop = async (member: FleetMember) => {
    while (running) {
      answers.push(await ask(member, requestOf(turns++)));
      await sleep(pauseMs);
    }
  };
  const loops = Promise.all(members.flatMap((member) => Array.from({ length: atOnce }, () => loop(member))));
  return {
    answers,
    async stop(): Promise<readonly Answer[]> {
      running = false;
      await loops;
      return answers;
    },
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
