import { describe, expect, it } from 'vitest';
import { InvalidSettings } from '../../runtime/settings.ts';
import { readConfig } from './config.ts';

const PRODUCTION = { ENVIRONMENT: 'production', RATELIMIT_CALLER_KEYS: `identity=${'0'.repeat(64)}` };

function problems(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof InvalidSettings) return error.problems;
    throw error;
  }
  return [];
}

describe('REDIS_URL', () => {
  it.each([
    ['redis://h/abc', 'REDIS_URL must have the number of a database after the host, such as /0, or nothing'],
    ['redis://h/0/1', 'REDIS_URL must have the number of a database after the host, such as /0, or nothing'],
    [
      'redis://h?db=abc',
      'REDIS_URL must have the number of a database after the host, such as /0, or nothing',
    ],
    ['redis://:p%zz@h', 'REDIS_URL must have each % of a user name or password written as %25'],
    ['redis:', 'REDIS_URL must name a host'],
    ['redis:///0', 'REDIS_URL must name a host'],
    ['http://h', 'REDIS_URL must be a URL that starts with redis:// or rediss://'],
  ])('refuses %s', (url, problem) => {
    expect(problems({ REDIS_URL: url })).toEqual([problem]);
  });

  it.each([
    'redis://h',
    'redis://h/',
    'redis://h:6379/15',
    'rediss://user:p%25@[::1]:6380/0',
    'redis://h?db=3',
  ])('takes %s', (url) => {
    expect(readConfig({ REDIS_URL: url }).redisUrl).toBe(url);
  });
});

describe('production', () => {
  it.each([
    'redis://:secret@redis',
    'redis://default:Redis@redis/0',
    'rediss://default:foobared@redis',
    'redis://redis?password=postgres',
  ])('refuses the example password of %s', (url) => {
    expect(problems({ REDIS_URL: url })).toEqual([]);
    expect(problems({ ...PRODUCTION, REDIS_URL: url })).toEqual([
      'REDIS_URL has the password of an example, which everybody knows',
    ]);
  });

  it.each(['redis://redis', 'redis://:unguessable@redis/0', 'rediss://redis'])('takes %s', (url) => {
    expect(problems({ ...PRODUCTION, REDIS_URL: url })).toEqual([]);
  });

  it('takes no Redis at all', () => {
    expect(problems(PRODUCTION)).toEqual([]);
  });
});
