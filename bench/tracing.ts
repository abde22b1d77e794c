/**
 * What tracing costs a check: without a collector, and with one at several sampling ratios.
 *
 *   node bench/tracing.ts [--rounds 5] [--seconds 4] [--callers 64] [--rate 2000]
 *
 * Each round measures a rate limiter of each kind in turn by a closed loop of CheckLimit (highest rate, CPU of the server for
 * each check) and an open loop (latency at a fixed rate). Medians over the rounds. Starts its own Redis, servers and
 * collector on free ports of the loopback.
 */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CheckLimitRequestSchema } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { freePort } from '../stack/ports.ts';
import { startRedis } from '../stack/redis-server.ts';
import { type CallCosts, measureCalls } from './call-costs.ts';
import { encoded } from './encoded.ts';
import { median } from './percentiles.ts';
import { type Child, startScript, untilAnswering } from './process.ts';
import { rounded } from './rounded.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    callers: { type: 'string', default: '64' },
    rate: { type: 'string', default: '2000' },
  },
});
const rounds = Number(values.rounds);
const load = { callers: Number(values.callers), seconds: Number(values.seconds), rate: Number(values.rate) };
/** Both of the first are the same: how much a kind differs from itself. */
const KINDS = ['off', 'off, again', 'ratio 0', 'ratio 0.01', 'ratio 0.1', 'ratio 1'] as const;
const BODIES = Array.from({ length: 20_000 }, (_, index) =>
  encoded(CheckLimitRequestSchema, { endpoint: 'api_default', identifier: `user:${100_000 + index}` }),
);

async function startLimiter(
  env: NodeJS.ProcessEnv,
): Promise<Child & { readonly address: string; metrics: string }> {
  const [grpcPort, httpPort] = [String(await freePort()), String(await freePort())];
  const child = startScript(new URL('../services/ratelimit/main.ts', import.meta.url).pathname, {
    ...process.env,
    LOG_LEVEL: 'fatal',
    ...env,
    RATELIMIT_GRPC_PORT: grpcPort,
    RATELIMIT_HTTP_PORT: httpPort,
  });
  await untilAnswering(`http://127.0.0.1:${httpPort}/health`);
  return { ...child, address: `127.0.0.1:${grpcPort}`, metrics: `http://127.0.0.1:${httpPort}/metrics` };
}

async function droppedSpans(url: string): Promise<number> {
  const text = await (await fetch(url)).text();
  return Number(/^optix_trace_spans_dropped_total (\d+)$/m.exec(text)?.[1]);
}

const directory = mkdtempSync(join(tmpdir(), 'optix-bench-'));
try {
  await using redis = await startRedis({ dir: directory });
  await using sink = startScript(new URL('./span-sink.ts', import.meta.url).pathname);
  const collector = `http://127.0.0.1:${await sink.firstLine}`;
  await using started = new AsyncDisposableStack();
  const limiters = new Map<string, Awaited<ReturnType<typeof startLimiter>>>();
  for (const kind of KINDS) {
    const traced = {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector,
      OTEL_TRACES_SAMPLER_ARG: kind.slice('ratio '.length),
    };
    const settings = kind.startsWith('off') ? { OTEL_EXPORTER_OTLP_ENDPOINT: '' } : traced;
    limiters.set(kind, started.use(await startLimiter({ REDIS_URL: redis.url, ...settings })));
  }
  const costs = new Map<string, CallCosts[]>(KINDS.map((kind) => [kind, []]));
  for (let round = 0; round < rounds; round += 1) {
    // Nobody is always the first to find what another has warmed.
    for (const kind of round % 2 === 0 ? KINDS : KINDS.toReversed()) {
      const server = limiters.get(kind) as Awaited<ReturnType<typeof startLimiter>>;
      const path = '/optix.ratelimit.v1.RateLimitService/CheckLimit';
      const calls = { name: kind, server, path, bodies: BODIES, thingsPerCall: 1 };
      costs.get(kind)?.push(await measureCalls(calls, load, {}));
    }
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  }
  const table: Record<string, Record<string, number>> = {};
  for (const kind of KINDS) {
    const measured = costs.get(kind) ?? [];
    const of = (figure: (cost: CallCosts) => number) => rounded(median(measured.map(figure)));
    table[kind] = {
      'checks/s': Math.round(of(({ rate }) => rate)),
      'server CPU µs/check': of(({ serverMicros }) => serverMicros),
      'p50 ms': of(({ latencyMs }) => latencyMs.p50),
      'p99 ms': of(({ latencyMs }) => latencyMs.p99),
      'spans dropped': await droppedSpans(limiters.get(kind)?.metrics ?? ''),
    };
  }
  console.log(
    `medians of ${rounds} rounds; closed loop of ${load.callers} callers, open loop at ${load.rate}/s`,
  );
  console.table(table);
} finally {
  await rm(directory, { recursive: true, force: true });
}
