import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RateLimitClient } from '../clients/ratelimit/rate-limit-client.ts';
import { type CheckLimitResponse, DecisionSource } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { type LimiterProcesses, startLimiters } from '../testing/agreement/limiter-processes.ts';

const MS = 1_000;

/** As the rules below have them. */
const LIMIT = 40;
const WINDOW = 500 * MS;
const BURST = 25;
const HELD = 7;

const RULES = `
rules:
  - name: log
    limits: [{ limit: ${LIMIT}, window: 500ms }]
  - name: counter
    limits: [{ limit: ${LIMIT}, window: 500ms, algorithm: SLIDING_WINDOW_COUNTER }]
  - name: bucket
    limits: [{ limit: ${LIMIT}, window: 500ms, algorithm: TOKEN_BUCKET, burst: ${BURST} }]
  - name: fixed
    limits: [{ limit: ${LIMIT}, window: 500ms, algorithm: FIXED_WINDOW }]
  - name: leases
    limits: [{ limit: ${HELD}, window: 1m, algorithm: CONCURRENCY }]
  - name: api_default
    limits: [{ limit: 100, window: 1m }]
`;

let limiters: LimiterProcesses;
let clients: readonly RateLimitClient[];
beforeAll(async () => {
  limiters = await startLimiters(RULES, 2, 6);
  clients = limiters.clients;
});
afterAll(async () => {
  await limiters?.[Symbol.asyncDispose]();
});

let identifier: string;
let keys = 0;
beforeEach(() => {
  identifier = `user:${keys++}`;
});

/** An operation that was admitted. Times in epoch µs. */
interface Admission {
  readonly cost: number;
  readonly resetMicros: number;
  /** When the client had the answer: after the decision. */
  readonly answeredMicros: number;
}

/** Asks over all connections, several at a time on each, without a pause. */
async function hammer(endpoint: string, forMs: number, most = 3): Promise<readonly Admission[]> {
  const admissions: Admission[] = [];
  const check = { endpoint, identifier };
  const until = performance.now() + forMs;
  const ask = async (client: RateLimitClient, cost: number) => {
    while (performance.now() < until) {
      const { allowed, source, resetTime, remaining } = await client.checkLimit({ ...check, cost });
      const answeredMicros = (performance.timeOrigin + performance.now()) * MS;
      if (allowed) admissions.push({ cost, resetMicros: micros(resetTime), answeredMicros });
      else {
        expect(remaining).toBeLessThan(cost);
        await sleep(1);
      }
      expect([DecisionSource.REDIS, DecisionSource.CACHE]).toContain(source);
    }
  };
  await Promise.all(
    clients.flatMap((client) => Array.from({ length: 6 }, (_, at) => ask(client, 1 + (at % most)))),
  );
  return admissions.sort((a, b) => a.resetMicros - b.resetMicros);
}

function micros(time: CheckLimitResponse['resetTime']): number {
  if (time === undefined) throw new Error('every decision has a reset time');
  return Number(time.seconds) * 1e6 + Math.round(time.nanos / 1e3);
}

/** Units by number: of the window or part that they were counted in. */
function sumBy(admissions: readonly Admission[], numberOf: (admission: Admission) => number) {
  const sums = new Map<number, number>();
  for (const admission of admissions) {
    const number = numberOf(admission);
    sums.set(number, (sums.get(number) ?? 0) + admission.cost);
  }
  return sums;
}

describe('many connections to two services, writing to one key', () => {
  it('SLIDING_WINDOW_LOG: never more than the limit in any window, and each window is used up', async () => {
    const admissions = await hammer('log', 2_600);
    const times = admissions.flatMap(({ cost, resetMicros }) => Array(cost).fill(resetMicros - WINDOW));
    const spans = times.slice(LIMIT).map((time, unit) => time - times[unit]);
    expect(Math.min(...spans)).toBeGreaterThanOrEqual(WINDOW);
    // Five windows begin in that time; what a window takes to fill again shifts the later ones.
    expect(times.length).toBeGreaterThanOrEqual(5 * LIMIT);
    expect(times.length).toBeLessThanOrEqual(6 * LIMIT);
  });

  it('SLIDING_WINDOW_COUNTER: never more than the limit in any window, and all of it is used', async () => {
    const admissions = await hammer('counter', 2_600);
    const width = WINDOW / 10;
    const parts = sumBy(admissions, ({ resetMicros }) => (resetMicros + 1 - WINDOW) / width - 1);
    expect([...parts.keys()].every(Number.isInteger)).toBe(true);
    const windows = [...parts.keys()].map((first) => {
      let units = 0;
      for (let part = first; part < first + 10; part += 1) units += parts.get(part) ?? 0;
      return units;
    });
    expect(Math.max(...windows)).toBe(LIMIT);
    // Units are held for up to a tenth longer.
    const units = admissions.reduce((sum, { cost }) => sum + cost, 0);
    expect(units).toBeGreaterThanOrEqual(4 * LIMIT);
  });

  it('FIXED_WINDOW: every window that passes by is filled to the last unit, and no further', async () => {
    const windows = sumBy(await hammer('fixed', 2_600), ({ resetMicros }) => resetMicros / WINDOW);
    const numbers = [...windows.keys()].sort((a, b) => a - b);
    expect(numbers.every(Number.isInteger)).toBe(true);
    // The writers may have come late to the first one and left the last one early.
    const whole = numbers.slice(1, -1);
    expect(whole.length).toBeGreaterThanOrEqual(4);
    expect(whole.map((number) => windows.get(number))).toEqual(whole.map(() => LIMIT));
    expect(Math.max(...windows.values())).toBe(LIMIT);
  });

  it('TOKEN_BUCKET: a burst, then the rate, exactly; none is lost', async () => {
    const began = Date.now() * MS;
    const admissions = await hammer('bucket', 2_600);
    const each = WINDOW / LIMIT;
    let units = 0;
    let before = 0;
    for (const { cost, resetMicros, answeredMicros } of admissions) {
      // The reset is GCRA's theoretical arrival time. Each unit moves it on, and it is never past the burst.
      expect(resetMicros - before).toBeGreaterThanOrEqual(cost * each);
      expect(resetMicros - answeredMicros).toBeLessThanOrEqual(BURST * each);
      before = resetMicros;
      units += cost;
    }
    const lasted = Math.max(...admissions.map(({ answeredMicros }) => answeredMicros)) - began;
    expect(units).toBeLessThanOrEqual(BURST + lasted / each);
    expect(units).toBeGreaterThanOrEqual(0.95 * (BURST + (2_600 * MS) / each));
  });

  it('CONCURRENCY: never more held at one time than the limit, and all of it is', async () => {
    let held = 0;
    let most = 0;
    let acquired = 0;
    const check = { endpoint: 'leases', identifier };
    const until = performance.now() + 2_500;
    const work = async (client: RateLimitClient) => {
      while (performance.now() < until) {
        const { allowed, receipt } = await client.checkLimit(check);
        if (!allowed) {
          await sleep(2);
          continue;
        }
        // Held by this count for less time than by the limiter's.
        held += 1;
        acquired += 1;
        most = Math.max(most, held);
        await sleep(Math.random() * 10);
        held -= 1;
        expect((await client.refundLimit({ receipt })).refunded).toBe(true);
      }
    };
    await Promise.all(clients.flatMap((client) => Array.from({ length: 5 }, () => work(client))));
    expect(most).toBe(HELD);
    expect(acquired).toBeGreaterThan(10 * HELD);

    // All was given back: the whole limit is there again, and not a unit more.
    const client = clients[0] as RateLimitClient;
    const { decision } = await client.peekLimit({ check });
    expect(decision?.remaining).toBe(HELD);
  });
});
