import type { Redis } from 'ioredis';
import type { RedisTarget } from '../../../runtime/redis-target.ts';
import { checkClock } from './clock-skew.ts';
import { Findings } from './finding.ts';
import { openRedis } from './open-redis.ts';
import { checkRedisInfo, readInfo } from './redis-info.ts';
import { commandsLacking } from './redis-rights.ts';

/** Slow commands of the last hour count: older ones tell of what was. */
const RECENT_SECONDS = 3600;

/** Looks at each master of the Redis that the services share. Changes nothing. */
export async function checkRedis(target: RedisTarget, timeoutMs: number): Promise<Findings> {
  const findings = new Findings('redis');
  try {
    using redis = await openRedis(target);
    for (const { name, server } of redis.servers)
      await checkServer(name, server, target, timeoutMs, findings);
  } catch (error) {
    findings.add(
      'problem',
      `Redis (REDIS_URL) can't be asked: ${(error as Error).message}`,
      "each rule's policy decides without it: counts are not shared",
      'check that it runs, and host, port, user and password in REDIS_URL',
    );
  }
  return findings;
}

async function checkServer(
  name: string,
  server: Redis,
  target: RedisTarget,
  timeoutMs: number,
  findings: Findings,
): Promise<void> {
  const info = readInfo(await server.info());
  checkRedisInfo(name, info, target.mode, findings);
  const beforeMs = Date.now();
  const [seconds, micros] = await server.time();
  const afterMs = Date.now();
  const theirsMs = Number(seconds) * 1000 + Number(micros) / 1000;
  checkClock(`Redis ${name}`, { beforeMs, theirsMs, afterMs }, findings);
  await checkPersistence(name, server, info, findings);
  await checkSlowLog(name, server, { seconds: Number(seconds), timeoutMs }, findings);
  // A replica refuses what writes whatever the rights are.
  if (info.get('role') === 'master') await checkRights(name, server, findings);
}

async function checkPersistence(
  name: string,
  server: Redis,
  info: ReadonlyMap<string, string>,
  findings: Findings,
): Promise<void> {
  if (info.get('aof_enabled') === '1') {
    findings.ok(`${name} writes an append-only file`);
    return;
  }
  const save = await server.config('GET', 'save').then(
    (answer) => (answer as string[])[1],
    // The least rights of docs/rate-limiting.md do not include this: then it is not known.
    () => undefined,
  );
  if (save === undefined) findings.ok(`${name} writes no append-only file; whether it saves can't be asked`);
  else if (save !== '') findings.ok(`${name} saves snapshots (${save}), and writes no append-only file`);
  else {
    findings.add(
      'warning',
      `${name} keeps nothing on disk`,
      'a restart forgets counts, live rules and API keys of ratelimit',
      'set appendonly yes (deploy/redis.conf)',
    );
  }
}

async function checkSlowLog(
  name: string,
  server: Redis,
  { seconds, timeoutMs }: { readonly seconds: number; readonly timeoutMs: number },
  findings: Findings,
): Promise<void> {
  const entries = await server.slowlog('GET', 128).then(
    (answer) => answer as [number, number, number, string[]][],
    // As above.
    () => undefined,
  );
  if (entries === undefined) return;
  const slow = entries.filter(
    ([, at, micros]) => at > seconds - RECENT_SECONDS && micros >= timeoutMs * 1000,
  );
  if (slow.length === 0) {
    findings.ok(`${name}: no command of the last hour took longer than REDIS_TIMEOUT_MS (${timeoutMs} ms)`);
    return;
  }
  const longest = Math.max(...slow.map(([, , micros]) => micros / 1000));
  // Names alone: what stands behind them are keys and values.
  const names = [...new Set(slow.map(([, , , [command = '']]) => command.toUpperCase()))].join(', ');
  findings.add(
    'warning',
    `${name}: ${slow.length} commands of the last hour took ${timeoutMs} ms or more, up to ${longest.toFixed(0)} ms (${names})`,
    'checks meanwhile are decided without Redis',
    'keep KEYS, FLUSHALL and other long commands away (SLOWLOG GET), and give it a processor of its own',
  );
}

async function checkRights(name: string, server: Redis, findings: Findings): Promise<void> {
  const lacking = await commandsLacking(server);
  if (lacking.length === 0) findings.ok(`${name} lets ratelimit send each command that it needs`);
  else {
    findings.add(
      'problem',
      `${name} refuses ${lacking.join(', ')}`,
      'checks, live rules or keys fail where these are needed',
      'give the user the rights of docs/rate-limiting.md',
    );
  }
}
