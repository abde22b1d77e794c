import type { Percentiles } from './percentiles.ts';
import { cpuSeconds, load } from './process.ts';
import type { Server } from './subjects.ts';

/** Calls whose costs are measured. */
export interface MeasuredCalls {
  readonly name: string;
  readonly server: Server;
  /** Path of the method, as in a load plan. */
  readonly path: string;
  /** Encoded requests in base64, sent in turn. */
  readonly bodies: readonly string[];
  /** What one call asks for: costs are counted for each such thing. */
  readonly thingsPerCall: number;
}

/** Counters beside the server's CPU that are read before and after, by the name of what they count. */
export type Meters = Readonly<Record<string, () => number | Promise<number>>>;

export interface CallCosts {
  /** Of the closed loop: things a second. */
  readonly rate: number;
  /** Of the closed loop: CPU time of the server's process for each thing, in microseconds. */
  readonly serverMicros: number;
  /** Of the closed loop: what each meter counted for each thing. */
  readonly metered: Readonly<Record<string, number>>;
  /** Of the open loop. */
  readonly latencyMs: Percentiles;
}

const CONNECTIONS = 4;

/**
 * Measures a round: a warm-up of a second, a closed loop (highest rate, costs), and an open loop (latency at a fixed rate
 * of things a second).
 *
 * @throws Error where a call fails
 */
export async function measureCalls(
  calls: MeasuredCalls,
  { callers, seconds, rate }: { readonly callers: number; readonly seconds: number; readonly rate: number },
  meters: Meters,
): Promise<CallCosts> {
  const { server, path, bodies, thingsPerCall } = calls;
  const plan = {
    ...{ address: server.address, path, bodies, connections: CONNECTIONS },
    callers: Math.max(CONNECTIONS, Math.ceil(callers / thingsPerCall)),
  };
  await load({ ...plan, seconds: 1 });
  const before = { server: cpuSeconds(server.pid), metered: await readAll(meters) };
  const closed = await load({ ...plan, seconds });
  const after = { server: cpuSeconds(server.pid), metered: await readAll(meters) };
  const open = await load({ ...plan, seconds, perSecond: Math.max(1, rate / thingsPerCall) });
  if (closed.failed + open.failed > 0 || open.latencyMs === null) {
    throw new Error(`${calls.name}: ${closed.failed + open.failed} calls failed`);
  }
  const things = closed.answered * thingsPerCall;
  return {
    rate: things / closed.seconds,
    serverMicros: ((after.server - before.server) * 1e6) / things,
    metered: Object.fromEntries(
      Object.entries(after.metered).map(([name, count]) => [
        name,
        (count - (before.metered[name] ?? 0)) / things,
      ]),
    ),
    latencyMs: open.latencyMs,
  };
}

async function readAll(meters: Meters): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [name, read] of Object.entries(meters)) counts[name] = await read();
  return counts;
}
