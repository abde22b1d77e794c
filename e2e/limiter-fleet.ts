import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createRateLimitAdminClient,
  type RateLimitAdminClient,
} from '../clients/ratelimit/rate-limit-admin-client.ts';
import type { RedisTarget } from '../runtime/redis-target.ts';
import { type RateLimitProcess, startRateLimitProcess } from './ratelimit-process.ts';

/** Longer than it takes until processes that share a Redis know of each other: two signs of life. */
const ACQUAINTED_MS = 1_500;

/** One process of a fleet. */
export interface FleetMember extends Pick<RateLimitProcess, 'address' | 'client'> {
  readonly admin: RateLimitAdminClient;
}

/** Two rate limiters, each a process of its own, that share the limits. */
export interface LimiterFleet extends AsyncDisposable {
  readonly members: readonly [FleetMember, FleetMember];
}

/**
 * Starts the two, and waits until they know of each other.
 *
 * @param rules text of their rules file
 */
export async function startLimiterFleet(
  target: RedisTarget,
  rules: string,
  env: Readonly<Record<string, string>> = {},
): Promise<LimiterFleet> {
  await using resources = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'optix-fleet-'));
  resources.defer(() => rm(directory, { recursive: true }));
  const rulesFile = join(directory, 'rules.yaml');
  await writeFile(rulesFile, rules);
  const settings = { ...redisSettings(target), RATELIMIT_RULES_FILE: rulesFile, ...env };
  const start = async (): Promise<FleetMember> => {
    const { address, client } = resources.use(await startRateLimitProcess(settings));
    return { address, client, admin: resources.use(createRateLimitAdminClient({ address })) };
  };
  const members = [await start(), await start()] as const;
  await sleep(ACQUAINTED_MS);
  const owned = resources.move();
  return { members, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function redisSettings({ mode, nodes, sentinel }: RedisTarget): Readonly<Record<string, string>> {
  return {
    REDIS_MODE: mode,
    REDIS_URL: nodes.map(({ host, port }) => `redis://${host}:${port}`).join(),
    ...(sentinel === undefined ? {} : { REDIS_SENTINEL_MASTER: sentinel.master }),
  };
}
