import type { Redis } from 'ioredis';

/** Of no script. */
const NO_DIGEST = '0'.repeat(40);

/**
 * The commands that ratelimit sends, each in a form that changes nothing: on a key that is not there, under a condition
 * that does not hold, or with something missing that Redis looks at only after the rights.
 */
export function harmlessForms(key: string): readonly (readonly [string, ...string[]])[] {
  return [
    ['ping'],
    ['info', 'server'],
    ['select', '0'],
    ['client', 'setname', 'optix-doctor'],
    ['evalsha', NO_DIGEST, '1', key],
    ['eval', 'return 1', '1', key],
    ['unlink', key],
    ['time'],
    ['get', key],
    ['set', key, '', 'xx'],
    ['del', key],
    ['exists', key],
    ['pttl', key],
    ['pexpire', key, '1'],
    ['zadd', key, 'xx', '1', 'member'],
    ['zcard', key],
    ['zcount', key, '0', '1'],
    ['zrange', key, '0', '1'],
    ['zrangebyscore', key, '0', '1'],
    ['zrem', key, 'member'],
    ['zremrangebyrank', key, '0', '1'],
    ['zremrangebyscore', key, '0', '1'],
    ['zscore', key, 'member'],
    ['hget', key, 'field'],
    ['hmget', key, 'field'],
    ['hset', key, 'field', 'value', 'a field without a value'],
    ['mget', key],
    ['zrevrange', key, '0', '1'],
    ['publish', key, ''],
  ];
}

/** Names of the commands that this connection may not send, or that the server does not have. */
export async function commandsLacking(server: Redis): Promise<readonly string[]> {
  const key = `ratelimit:{doctor:${Math.random()}}`;
  const forms = harmlessForms(key);
  const answers = await Promise.allSettled(forms.map(([command, ...args]) => server.call(command, ...args)));
  return forms.flatMap(([command], index) => {
    const answer = answers[index];
    if (answer?.status !== 'rejected') return [];
    return /^(NOPERM|ERR unknown command)/.test((answer.reason as Error).message) ? [command] : [];
  });
}
