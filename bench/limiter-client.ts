/**
 * What a check costs the process that asks, by the resilient limiter (stream and unary) beside the bare typed client.
 *
 *   node bench/limiter-client.ts [--rounds 3] [--seconds 3] [--callers 64]
 *
 * Each round measures each subject by a closed loop of callers in this process against one limiter (Redis), a process
 * of its own. CPU is this process's, user and system, after a warm-up of a second. Medians over the rounds.
 */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createLimiter } from '../clients/ratelimit/create-limiter.ts';
import { createRateLimitClient } from '../clients/ratelimit/rate-limit-client.ts';
import { freePort } from '../stack/ports.ts';
import { startRedis } from '../stack/redis-server.ts';
import { median } from './percentiles.ts';
import { cpuSeconds, startScript, untilAnswering } from './process.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    callers: { type: 'string', default: '64' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const callers = Number(values.callers);
const USERS = 20_000;

type Ask = (identifier: string) => Promise<unknown>;

/** Asks for so long; tells how many answers came, and the CPU time of this process and of the server. */
async function closedLoop(ask: Ask, forSeconds: number, serverPid: number) {
  const end = performance.now() + forSeconds * 1000;
  const before = { own: process.cpuUsage(), server: cpuSeconds(serverPid) };
  let asked = 0;
  let answered = 0;
  const caller = async () => {
    while (performance.now() < end) {
      await ask(`user:${asked++ % USERS}`);
      answered += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const { user, system } = process.cpuUsage(before.own);
  return { answered, own: user + system, server: (cpuSeconds(serverPid) - before.server) * 1e6 };
}

const directory = mkdtempSync(join(tmpdir(), 'optix-bench-'));
try {
  await using redis = await startRedis({ dir: directory });
  const [grpcPort, httpPort] = [String(await freePort()), String(await freePort())];
  await using server = startScript(new URL('../services/ratelimit/main.ts', import.meta.url).pathname, {
    ...process.env,
    REDIS_URL: redis.url,
    RATELIMIT_GRPC_PORT: grpcPort,
    RATELIMIT_HTTP_PORT: httpPort,
    LOG_LEVEL: 'fatal',
  });
  await untilAnswering(`http://127.0.0.1:${httpPort}/health`);
  const address = `127.0.0.1:${grpcPort}`;
  const options = { address, timeoutMs: 10_000, whenUnreachable: 'throw' } as const;
  using bare = createRateLimitClient({ address });
  using unary = createLimiter({ ...options, transport: 'unary' });
  using stream = createLimiter(options);
  const endpoint = 'api_default';
  const subjects: readonly { readonly name: string; readonly ask: Ask }[] = [
    { name: 'createRateLimitClient', ask: (identifier) => bare.checkLimit({ endpoint, identifier }) },
    { name: 'createLimiter, unary', ask: (identifier) => unary.check({ endpoint, identifier }) },
    { name: 'createLimiter, stream', ask: (identifier) => stream.check({ endpoint, identifier }) },
  ];
  const figures = subjects.map(() => ({
    rates: [] as number[],
    own: [] as number[],
    server: [] as number[],
  }));
  for (let round = 1; round <= rounds; round += 1) {
    for (const [index, { ask }] of subjects.entries()) {
      await closedLoop(ask, 1, server.pid);
      const { answered, own, server: spent } = await closedLoop(ask, seconds, server.pid);
      figures[index]?.rates.push(answered / seconds);
      figures[index]?.own.push(own / answered);
      figures[index]?.server.push(spent / answered);
    }
    process.stderr.write(`round ${round} of ${rounds}\n`);
  }
  console.log(`medians of ${rounds} rounds; closed loop of ${callers} callers in one process`);
  console.table(
    Object.fromEntries(
      subjects.map(({ name }, index) => {
        const { rates = [], own = [], server: spent = [] } = figures[index] ?? {};
        return [
          name,
          {
            'checks/s': Math.round(median(rates)),
            'client CPU µs/check': Math.round(median(own) * 10) / 10,
            'server CPU µs/check': Math.round(median(spent) * 10) / 10,
          },
        ];
      }),
    ),
  );
} finally {
  await rm(directory, { recursive: true, force: true });
}
