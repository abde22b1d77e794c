/**
 * Load generator, run as a process of its own so that its CPU is not counted as the server's.
 * Reads a LoadPlan as JSON from standard input and prints one line of JSON (LoadResult).
 */
import { text } from 'node:stream/consumers';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { CheckStream } from './check-stream.ts';
import type { LoadPlan, LoadResult } from './load-plan.ts';
import { percentiles } from './percentiles.ts';

const plan = JSON.parse(await text(process.stdin)) as LoadPlan;
const bodies = plan.bodies.map((body) => Buffer.from(body, 'base64'));
const clients = Array.from(
  { length: plan.connections },
  () => new Client(plan.address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 }),
);
const streams =
  plan.stream === undefined
    ? []
    : clients.map((client) => new CheckStream(client, plan.path, plan.stream === 'gathered'));
const metadata = new Metadata();
const raw = (bytes: Buffer) => bytes;
let asked = 0;
let answered = 0;
let failed = 0;
let deadlineMs = Infinity;

function call(done: () => void): void {
  const turn = asked++;
  const body = bodies[turn % bodies.length] as Buffer;
  const finish = (ok: boolean) => {
    if (ok) answered += 1;
    else failed += 1;
    done();
  };
  const stream = streams[turn % clients.length];
  if (stream !== undefined) {
    stream.ask(body, finish);
    return;
  }
  const client = clients[turn % clients.length] as Client;
  client.makeUnaryRequest(plan.path, raw, raw, body, metadata, {}, (error) => finish(error === null));
}

/** Each caller asks again as soon as it has its answer: finds the highest rate. */
async function closedLoop(callers: number): Promise<void> {
  await Promise.all(
    Array.from(
      { length: callers },
      async () =>
        await new Promise<void>((resolve) => {
          const next = () => {
            if (performance.now() >= deadlineMs) resolve();
            else call(next);
          };
          next();
        }),
    ),
  );
}

/** Asks at a fixed rate, whether answers come or not; latency counts from the moment a call was due. */
async function openLoop(perSecond: number, latencies: number[]): Promise<void> {
  const started = performance.now();
  let sent = 0;
  await new Promise<void>((resolve) => {
    const tick = () => {
      const now = performance.now();
      // The first one is due at once.
      const due = Math.floor(((Math.min(now, deadlineMs) - started) * perSecond) / 1000) + 1;
      while (sent < due) {
        const dueAt = started + (sent * 1000) / perSecond;
        sent += 1;
        call(() => latencies.push(performance.now() - dueAt));
      }
      if (now < deadlineMs) setTimeout(tick, 1);
      else if (answered + failed < asked) setTimeout(tick, 5);
      else resolve();
    };
    tick();
  });
}

await Promise.all(
  clients.map(
    async (client) =>
      await new Promise<void>((resolve, reject) => {
        client.waitForReady(Date.now() + 5000, (error) => (error ? reject(error) : resolve()));
      }),
  ),
);
const started = performance.now();
deadlineMs = started + plan.seconds * 1000;
const latencies: number[] = [];
if (plan.perSecond === undefined) await closedLoop(plan.callers);
else await openLoop(plan.perSecond, latencies);
const result: LoadResult = {
  answered,
  failed,
  seconds: (performance.now() - started) / 1000,
  latencyMs: percentiles(latencies),
};
console.log(JSON.stringify(result));
for (const stream of streams) stream.end();
for (const client of clients) client.close();
