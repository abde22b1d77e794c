/**
 * One process of an agreement run: does random operations on the keys that it shares with the others. Reads a
 * WorkerPlan as JSON from standard input, and writes a line of JSON for each call, and one at the end.
 */
import { text } from 'node:stream/consumers';
import { Redis } from 'ioredis';
import { contestedKeys } from './contested-keys.ts';
import type { AskOperation, CallRecord, WorkerEnd } from './operation.ts';
import { OperationSource } from './operation-source.ts';
import { Performer } from './performer.ts';
import { SkewedClock } from './skewed-clock.ts';
import type { WorkerPlan } from './worker-plan.ts';

/** Calls under way at one time. */
const DEPTH = 8;
const LINES_PER_WRITE = 100;

const plan = JSON.parse(await text(process.stdin)) as WorkerPlan;
const keys = contestedKeys(plan.seed);
const source = new OperationSource(plan.seed, plan.process, keys);
const clocks = new SkewedClock(plan.seed + plan.process, plan.startMicros);
const redis = new Redis(plan.redisUrl, { protocol: 2 });
const performer = new Performer(redis, plan.scripts, keys);
const lines: string[] = [];
let left = plan.operations;

await Promise.all(
  Array.from({ length: DEPTH }, async () => {
    while (left > 0) {
      const edge = clocks.jumpToEdge();
      const operation = edge === undefined ? source.next() : source.askAt(edge.key);
      left -= operation.kind === 'decide' ? operation.asks.length : 1;
      const clock = edge?.micros ?? clocks.read();
      const [sequence, reply] = await performer.perform(operation, clock);
      write({ sequence, clock, operation, reply });
      if (operation.kind === 'decide') learn(operation.asks, clock, reply as readonly number[]);
    }
  }),
);
write({ edits: source.edits });
flush();
redis.disconnect();

/** Keeps what was taken, and the moments at which an answer would change. */
function learn(asks: readonly AskOperation[], clock: number, reply: readonly number[]): void {
  let at = 0;
  for (const [peek, lease, terms] of asks) {
    const states = terms.map(([key, version, cost]) => {
      const [room, , resetMicros = 0, retryAfterMicros = 0] = reply.slice(at, at + 4);
      at += 4;
      clocks.noteEdge(key, room === 1 ? resetMicros : clock + retryAfterMicros);
      const shadow = keys[key]?.versions[version]?.shadow === true;
      return { key, version, cost, room: room === 1, resetMicros, shadow };
    });
    if (peek === 1 || states.some(({ shadow, room }) => !shadow && !room)) continue;
    const shadowsTaken = states.every(({ shadow, room }) => !shadow || room);
    const taken = states.filter(({ shadow }) => !shadow || shadowsTaken);
    if (taken.length === 0) continue;
    source.remember(
      lease,
      taken.map(({ key, version, cost, resetMicros }) => [key, version, cost, resetMicros]),
    );
  }
}

function write(line: CallRecord | WorkerEnd): void {
  lines.push(JSON.stringify(line));
  if (lines.length >= LINES_PER_WRITE) flush();
}

function flush(): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  lines.length = 0;
}
