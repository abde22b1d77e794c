import { describe, expect, it } from 'vitest';
import { closeRedis, connectRedis } from '../../../runtime/redis-connection.ts';
import { singleRedis } from '../../../runtime/redis-target.ts';
import { redisFailure, replyFailure } from './redis-failure.ts';
import { KeyUnusable, StoreUnavailable } from './store-errors.ts';

describe('replyFailure', () => {
  it.each([
    'WRONGTYPE Operation against a key holding the wrong kind of value',
    'ERR value is not a valid float script: 5f, on @user_script:30.',
    'ERR Error running script (call to f_5f): @user_script:30: -WRONGTYPE Operation against a key',
  ])('blames the key: %s', (message) => {
    expect(replyFailure(message)).toBeInstanceOf(KeyUnusable);
  });

  it.each([
    "READONLY You can't write against a read only replica. script: 5f, on @user_script:30.",
    'LOADING Redis is loading the dataset in memory',
    "OOM command not allowed when used memory > 'maxmemory'.",
    'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.',
    'BUSY Redis is busy running a script.',
    'NOAUTH Authentication required.',
    'ERR Error running script (call to f_5f): @user_script:30: -OOM command not allowed',
    '',
  ])('blames Redis: %s', (message) => {
    expect(replyFailure(message)).toBeInstanceOf(StoreUnavailable);
  });
});

describe('redisFailure', () => {
  it('takes errors of the connection for absence, and keeps the text only', () => {
    const raw = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), {
      command: { name: 'auth', args: ['s3cret'] },
    });
    const failure = redisFailure(raw);
    expect(failure).toBeInstanceOf(StoreUnavailable);
    expect(failure.message).toBe('connect ECONNREFUSED 127.0.0.1:1');
    expect(JSON.stringify({ ...failure, cause: failure.cause })).not.toContain('s3cret');
  });

  it('says in words of its own that there is no connection', async () => {
    const client = connectRedis(singleRedis('redis://127.0.0.1:1'), 'test');
    client.on('error', () => undefined);
    const error = await client.ping().catch((reason: unknown) => reason);
    closeRedis(client);
    expect(redisFailure(error)).toEqual(new StoreUnavailable('there is no connection'));
  });
});
