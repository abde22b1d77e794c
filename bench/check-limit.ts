/**
 * Cost of a check, by every RPC that decides, beside a grpc-js echo server, in one run.
 *
 *   node bench/check-limit.ts [--rounds 5] [--seconds 4] [--callers 64] [--rate 2000] [--only 'Batch,Redis away']
 *
 * Each round measures each subject by a closed loop (highest rate; CPU of the server, CPU and commands of Redis for each
 * check) and an open loop (latency at a fixed rate). Medians over the rounds. Starts its own Redis and servers on free
 * ports of the loopback.
 */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { freePort } from '../stack/ports.ts';
import { startRedis } from '../stack/redis-server.ts';
import { scriptCalls } from './command-stats.ts';
import { median } from './percentiles.ts';
import { type Child, cpuSeconds, load, startScript, untilAnswering } from './process.ts';
import { ECHO, type Subject, subjects } from './subjects.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    callers: { type: 'string', default: '64' },
    rate: { type: 'string', default: '2000' },
    only: { type: 'string', default: '' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const callers = Number(values.callers);
const rate = Number(values.rate);
const only = values.only.split(',');
const CONNECTIONS = 4;

async function startLimiter(redisUrl: string): Promise<Child & { readonly address: string }> {
  const [grpcPort, httpPort] = [String(await freePort()), String(await freePort())];
  const child = startScript(new URL('../services/ratelimit/main.ts', import.meta.url).pathname, {
    ...process.env,
    REDIS_URL: redisUrl,
    RATELIMIT_GRPC_PORT: grpcPort,
    RATELIMIT_HTTP_PORT: httpPort,
    LOG_LEVEL: 'fatal',
  });
  await untilAnswering(`http://127.0.0.1:${httpPort}/health`);
  return { ...child, address: `127.0.0.1:${grpcPort}` };
}

async function measure(
  subject: Subject,
  round: number,
  redis: { pid: number; client: Redis },
): Promise<void> {
  const { server, path, stream, checksPerCall, figures } = subject;
  const plan = {
    address: server.address,
    path,
    bodies: subject.bodies(round),
    connections: CONNECTIONS,
    callers: Math.max(CONNECTIONS, Math.ceil(callers / checksPerCall)),
    ...(stream && { stream }),
  };
  await load({ ...plan, seconds: 1 });
  const spent = async () => ({
    server: cpuSeconds(server.pid),
    redis: cpuSeconds(redis.pid),
    scripts: await scriptCalls(redis.client),
  });
  const before = await spent();
  const closed = await load({ ...plan, seconds });
  const after = await spent();
  const open = await load({ ...plan, seconds, perSecond: Math.max(1, rate / checksPerCall) });
  if (closed.failed + open.failed > 0) throw new Error(`${subject.name}: calls failed`);
  const checks = closed.answered * checksPerCall;
  figures.rates.push(checks / closed.seconds);
  figures.serverMicros.push(((after.server - before.server) * 1e6) / checks);
  figures.redisMicros.push(((after.redis - before.redis) * 1e6) / checks);
  figures.scripts.push((after.scripts - before.scripts) / checks);
  if (open.latencyMs !== null) figures.latencies.push(open.latencyMs);
}

const directory = mkdtempSync(join(tmpdir(), 'optix-bench-'));
try {
  await using redis = await startRedis({ dir: directory });
  await using echoServer = startScript(new URL('./echo-server.ts', import.meta.url).pathname);
  await using limiter = await startLimiter(redis.url);
  // Nobody listens there: the breaker stays open and the rule's policy answers.
  await using cutOff = await startLimiter('redis://127.0.0.1:1');
  const client = new Redis(redis.url);
  const echo = { pid: echoServer.pid, address: `127.0.0.1:${await echoServer.firstLine}` };
  const measured = subjects({ echo, limiter, cutOff }).filter(
    ({ name }) => name === ECHO || only.some((part) => name.includes(part)),
  );
  for (let round = 1; round <= rounds; round += 1) {
    for (const subject of measured) await measure(subject, round, { pid: redis.pid, client });
    process.stderr.write(`round ${round} of ${rounds}\n`);
  }
  client.disconnect();

  const floor = median(measured[0]?.figures.serverMicros ?? []);
  console.log(
    `medians of ${rounds} rounds; closed loop of ${callers} callers (${CONNECTIONS} of batches), open loop at ${rate}/s`,
  );
  console.table(
    Object.fromEntries(
      measured.map(({ name, figures }) => [
        name,
        {
          'checks/s': Math.round(median(figures.rates)),
          'server CPU µs/check': rounded(median(figures.serverMicros)),
          'ratio to echo': rounded(median(figures.serverMicros) / floor),
          'Redis CPU µs/check': rounded(median(figures.redisMicros)),
          'scripts/check': rounded(median(figures.scripts)),
          'p50 ms': rounded(median(figures.latencies.map(({ p50 }) => p50))),
          'p99 ms': rounded(median(figures.latencies.map(({ p99 }) => p99))),
          'p99.9 ms': rounded(median(figures.latencies.map(({ p999 }) => p999))),
        },
      ]),
    ),
  );
} finally {
  await rm(directory, { recursive: true, force: true });
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
