import type { Redis } from 'ioredis';

/** How many scripts Redis has run so far (INFO commandstats): what a check costs it, beside the probes' few commands. */
export async function scriptCalls(redis: Redis): Promise<number> {
  const info = await redis.info('commandstats');
  let calls = 0;
  for (const [, count] of info.matchAll(/^cmdstat_(?:evalsha|eval|fcall):calls=(\d+)/gm))
    calls += Number(count);
  return calls;
}
