import type { Redis } from 'ioredis';
import { timed } from '../../services/ratelimit/storage/lua/testing-scripts.ts';
import { DECIDE, REFUND, RENEW, type Script, SETTLE } from '../../services/ratelimit/storage/scripts.ts';

/** Counts all calls. */
export const SEQUENCE_KEY = 'agreement:sequence';

/** Keys stay, whatever the clocks say: by a clock that lags, what Redis's own has expired still counts. */
const SLACK_MS = 3_600_000;

/** SHA-1 by script. */
export interface LoadedScripts {
  readonly decide: string;
  readonly refund: string;
  readonly renew: string;
  readonly settle: string;
}

/**
 * Loads the production scripts, changed only where they read the clock, which is their last argument here, and in how
 * long they let dead keys lie. Each call answers its number among all calls, and the script's own reply.
 *
 * @param alter makes scripts wrong, to see that it shows
 */
export async function loadScripts(
  redis: Redis,
  alter: (source: string) => string = (source) => source,
): Promise<LoadedScripts> {
  const load = async (script: Script) => String(await redis.script('LOAD', alter(sequenced(script))));
  return {
    decide: await load(DECIDE),
    refund: await load(REFUND),
    renew: await load(RENEW),
    settle: await load(SETTLE),
  };
}

function sequenced(script: Script): string {
  const source = timed(script, SLACK_MS);
  if (source.includes("redis.call('TIME')")) throw new Error('the script reads the clock more than once');
  return [
    `local sequence = redis.call('INCR', '${SEQUENCE_KEY}')`,
    'local function production()',
    source,
    'end',
    'return { sequence, production() }',
  ].join('\n');
}
