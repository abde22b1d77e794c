/**
 * Cost of a check: CheckLimit on Redis, and with Redis away, beside a grpc-js echo server, in one run.
 *
 *   node bench/check-limit.ts [--rounds 5] [--seconds 4] [--callers 64] [--rate 2000]
 *
 * Each round measures echo, then checks, each by a closed loop (highest rate, CPU per call) and an open loop (latency
 * at a fixed rate). Medians over the rounds. Starts its own Redis and servers on free ports of the loopback.
 */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { create, toBinary } from '@bufbuild/protobuf';
import { CheckLimitRequestSchema } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { EchoRequestSchema } from '../gen/optix/testing/v1/echo_service_pb.ts';
import { freePort } from '../stack/ports.ts';
import { startRedis } from '../stack/redis-server.ts';
import { median, type Percentiles } from './percentiles.ts';
import { type Child, cpuSeconds, load, startScript, untilAnswering } from './process.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    callers: { type: 'string', default: '64' },
    rate: { type: 'string', default: '2000' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const callers = Number(values.callers);
const rate = Number(values.rate);

interface Subject {
  readonly name: string;
  readonly pid: number;
  readonly address: string;
  readonly path: string;
  readonly bodies: readonly string[];
  readonly rates: number[];
  readonly cpuMicros: number[];
  readonly redisCpuMicros: number[];
  readonly latencies: Percentiles[];
}

function subject(
  name: string,
  child: Child,
  port: string,
  path: string,
  bodies: readonly Uint8Array[],
): Subject {
  return {
    name,
    pid: child.pid,
    address: `127.0.0.1:${port}`,
    path,
    bodies: bodies.map((body) => Buffer.from(body).toString('base64')),
    rates: [],
    cpuMicros: [],
    redisCpuMicros: [],
    latencies: [],
  };
}

const CHECK_LIMIT = '/optix.ratelimit.v1.RateLimitService/CheckLimit';

async function startLimiter(redisUrl: string): Promise<Child & { readonly grpcPort: string }> {
  const [grpcPort, httpPort] = [String(await freePort()), String(await freePort())];
  const child = startScript(new URL('../services/ratelimit/main.ts', import.meta.url).pathname, {
    ...process.env,
    REDIS_URL: redisUrl,
    RATELIMIT_GRPC_PORT: grpcPort,
    RATELIMIT_HTTP_PORT: httpPort,
    LOG_LEVEL: 'fatal',
  });
  await untilAnswering(`http://127.0.0.1:${httpPort}/health`);
  return { ...child, grpcPort };
}

async function measure(target: Subject, redisPid: number): Promise<void> {
  const { address, path, bodies } = target;
  const plan = { address, path, bodies, connections: 4, callers };
  await load({ ...plan, seconds: 1 });
  const before = { server: cpuSeconds(target.pid), redis: cpuSeconds(redisPid) };
  const closed = await load({ ...plan, seconds });
  const spent = {
    server: cpuSeconds(target.pid) - before.server,
    redis: cpuSeconds(redisPid) - before.redis,
  };
  const open = await load({ ...plan, seconds, perSecond: rate });
  if (closed.failed + open.failed > 0) throw new Error(`${target.name}: calls failed`);
  target.rates.push(closed.answered / closed.seconds);
  target.cpuMicros.push((spent.server * 1e6) / closed.answered);
  target.redisCpuMicros.push((spent.redis * 1e6) / closed.answered);
  if (open.latencyMs !== null) target.latencies.push(open.latencyMs);
}

const directory = mkdtempSync(join(tmpdir(), 'optix-bench-'));
try {
  await using redis = await startRedis({ dir: directory });
  await using echoServer = startScript(new URL('./echo-server.ts', import.meta.url).pathname);
  await using limiter = await startLimiter(redis.url);
  // Nobody listens there: the breaker stays open and the rule's policy answers.
  await using cutOff = await startLimiter('redis://127.0.0.1:1');

  // Enough callers that most checks are allowed, which is the dearer answer, and few enough that some are denied.
  const identifiers = Array.from({ length: 20_000 }, (_, index) => `user:${100_000 + index}`);
  const checks = identifiers.map((identifier) =>
    toBinary(
      CheckLimitRequestSchema,
      create(CheckLimitRequestSchema, { endpoint: 'api_default', identifier }),
    ),
  );
  const subjects = [
    subject('grpc-js echo', echoServer, await echoServer.firstLine, '/optix.testing.v1.EchoService/Echo', [
      toBinary(EchoRequestSchema, create(EchoRequestSchema, { text: 'api_default user:100000' })),
    ]),
    subject('CheckLimit on Redis', limiter, limiter.grpcPort, CHECK_LIMIT, checks),
    subject('CheckLimit, Redis away', cutOff, cutOff.grpcPort, CHECK_LIMIT, checks),
  ];
  for (let round = 1; round <= rounds; round += 1) {
    for (const each of subjects) await measure(each, redis.pid);
    process.stderr.write(`round ${round} of ${rounds}\n`);
  }

  const [floor] = subjects;
  console.log(`medians of ${rounds} rounds; closed loop of ${callers} callers, open loop at ${rate}/s`);
  console.table(
    Object.fromEntries(
      subjects.map((each) => [
        each.name,
        {
          'calls/s': Math.round(median(each.rates)),
          'server CPU µs/call': rounded(median(each.cpuMicros)),
          'ratio to echo': rounded(median(each.cpuMicros) / median(floor?.cpuMicros ?? [])),
          'Redis CPU µs/call': rounded(median(each.redisCpuMicros)),
          'p50 ms': rounded(median(each.latencies.map(({ p50 }) => p50))),
          'p99 ms': rounded(median(each.latencies.map(({ p99 }) => p99))),
          'p99.9 ms': rounded(median(each.latencies.map(({ p999 }) => p999))),
        },
      ]),
    ),
  );
} finally {
  await rm(directory, { recursive: true, force: true });
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
