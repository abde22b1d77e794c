/**
 * What counting for /metrics costs a check: a rate limiter that counts beside two that don't, in one run.
 *
 *   node bench/metrics.ts [--rounds 40] [--seconds 1] [--callers 64]
 *
 * Each round measures each kind in turn by a closed loop of CheckLimit and one of StreamCheckLimits: CPU of the server's
 * process for each check. Of the differences to the first kind within a round the median and the quartiles are told. The second
 * kind does not count either: how much a kind differs from itself. Then the parts of counting, each alone in a warm loop.
 */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  CheckLimitRequestSchema,
  RateLimitService,
} from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { InFlight } from '../runtime/in-flight.ts';
import { Metrics } from '../runtime/metrics/metrics.ts';
import { RpcMetrics } from '../runtime/metrics/rpc-metrics.ts';
import { uncounted } from '../services/ratelimit/domain/decision.ts';
import { DEFAULT_RULES } from '../services/ratelimit/domain/default-rules.ts';
import type { Rule } from '../services/ratelimit/domain/rule.ts';
import { DecisionCounts } from '../services/ratelimit/metrics/decision-counts.ts';
import { RedisCallMetrics } from '../services/ratelimit/metrics/redis-call-metrics.ts';
import { startRedis } from '../stack/redis-server.ts';
import { encoded } from './encoded.ts';
import { median } from './percentiles.ts';
import { cpuSeconds, load, startScript } from './process.ts';
import { rounded } from './rounded.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '40' },
    seconds: { type: 'string', default: '1' },
    callers: { type: 'string', default: '64' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const callers = Number(values.callers);

const KINDS = ['off', 'off, again', 'on'] as const;
type Kind = (typeof KINDS)[number];
const SERVICE = '/optix.ratelimit.v1.RateLimitService';
const BODIES = Array.from({ length: 20_000 }, (_, index) =>
  encoded(CheckLimitRequestSchema, { endpoint: 'api_default', identifier: `user:${100_000 + index}` }),
);
const WAYS = {
  CheckLimit: { path: `${SERVICE}/CheckLimit` },
  'StreamCheckLimits, gathered': { path: `${SERVICE}/StreamCheckLimits`, stream: 'gathered' },
} as const;

/** CPU of a server for each check of a closed loop, in microseconds. */
async function microsOf(
  server: { pid: number; address: string },
  way: keyof typeof WAYS,
  forSeconds: number,
) {
  const before = cpuSeconds(server.pid);
  const plan = { address: server.address, bodies: BODIES, connections: 4, callers, seconds: forSeconds };
  const { answered, failed } = await load({ ...plan, ...WAYS[way] });
  if (failed > 0) throw new Error(`${failed} checks failed`);
  return ((cpuSeconds(server.pid) - before) * 1e6) / answered;
}

/** Nanoseconds of one call, in a warm loop. */
function nanosOf(work: (turn: number) => void): number {
  const times = 2_000_000;
  for (let turn = 0; turn < times; turn += 1) work(turn);
  const before = process.cpuUsage();
  for (let turn = 0; turn < times; turn += 1) work(turn);
  const { user, system } = process.cpuUsage(before);
  return Math.round(((user + system) * 1_000) / times);
}

function parts(): Record<string, { readonly nanoseconds: number }> {
  const metrics = new Metrics();
  const rpcs = new RpcMetrics(metrics, new InFlight());
  const decisions = new DecisionCounts(metrics);
  const calls = new RedisCallMetrics(metrics);
  const check = { endpoint: 'api_default', identifier: '', cost: 1, roles: [], also: [], refundable: false };
  const decision = uncounted(DEFAULT_RULES[0] as Rule, undefined, 0, 'UNLIMITED');
  const seconds = (turn: number) => (turn % 100) / 1e4;
  return {
    'a decision': { nanoseconds: nanosOf(() => decisions.decided(check, decision)) },
    'an RPC': {
      nanoseconds: nanosOf((turn) =>
        rpcs.ended(RateLimitService.method.checkLimit, undefined, seconds(turn)),
      ),
    },
    'a round trip to Redis, of several checks': {
      nanoseconds: nanosOf((turn) => {
        calls.batched(turn % 64);
        calls.answered('decide', seconds(turn));
      }),
    },
  };
}

const directory = mkdtempSync(join(tmpdir(), 'optix-bench-'));
try {
  await using redis = await startRedis({ dir: directory });
  await using started = new AsyncDisposableStack();
  const servers = new Map<Kind, { pid: number; address: string }>();
  for (const kind of KINDS) {
    const counting = kind === 'on' ? 'on' : 'off';
    const script = new URL('./metrics-server.ts', import.meta.url).pathname;
    const child = started.use(
      startScript(script, { ...process.env, REDIS_URL: redis.url, COUNTING: counting }),
    );
    servers.set(kind, { pid: child.pid, address: `127.0.0.1:${await child.firstLine}` });
  }
  const ways = Object.keys(WAYS) as (keyof typeof WAYS)[];
  const micros = new Map<string, number[]>();
  for (let round = -1; round < rounds; round += 1) {
    for (const way of ways) {
      // Nobody is always the first to find what another has warmed; the first round warms all.
      for (const kind of round % 2 === 0 ? KINDS : KINDS.toReversed()) {
        const server = servers.get(kind) as { pid: number; address: string };
        const each = await microsOf(server, way, round < 0 ? 1 : seconds);
        if (round >= 0) micros.set(`${way}, ${kind}`, [...(micros.get(`${way}, ${kind}`) ?? []), each]);
      }
    }
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  }
  console.log(`medians of ${rounds} rounds; closed loop of ${callers} callers`);
  const table: Record<string, Record<string, number>> = {};
  for (const way of ways) {
    const off = micros.get(`${way}, off`) ?? [];
    for (const kind of KINDS) {
      const own = micros.get(`${way}, ${kind}`) ?? [];
      const differences = own
        .map((value, round) => value - (off[round] ?? 0))
        .sort((one, other) => one - other);
      const quarter = Math.floor(rounds / 4);
      table[`${way}, counting ${kind}`] = {
        'server CPU µs/check': rounded(median(own)),
        'more than off, µs': rounded(median(differences)),
        'a quarter is below': rounded(differences[quarter] ?? Number.NaN),
        'a quarter is above': rounded(differences[rounds - 1 - quarter] ?? Number.NaN),
      };
    }
  }
  console.table(table);
  console.table(parts());
} finally {
  await rm(directory, { recursive: true, force: true });
}
