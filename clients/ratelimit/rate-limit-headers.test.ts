import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { Algorithm } from '../../gen/optix/ratelimit/v1/limit_pb.ts';
import { CheckLimitResponseSchema } from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { rateLimitHeaders } from './rate-limit-headers.ts';

const NOW_MS = 1_800_000_000_000;
const in30s = { seconds: 1_800_000_030n };
const in40min = { seconds: 1_800_002_400n };
const minute = { seconds: 60n };
const hour = { seconds: 3600n };

const perMinute = {
  rule: 'orders',
  limitName: 'minute',
  limit: 5,
  remaining: 2,
  resetTime: in30s,
  window: minute,
};
const perHour = {
  rule: 'orders',
  limitName: 'hour',
  limit: 20,
  remaining: 9,
  resetTime: in40min,
  window: hour,
};

function headers(decision: MessageInitShape<typeof CheckLimitResponseSchema>) {
  return rateLimitHeaders(create(CheckLimitResponseSchema, decision), NOW_MS);
}

describe('the headers of a decision', () => {
  it('tell limit, rest and reset, and the same as the RateLimit pair', () => {
    expect(headers({ ...perMinute, limitName: '', allowed: true })).toEqual({
      'X-RateLimit-Limit': '5',
      'X-RateLimit-Remaining': '2',
      'X-RateLimit-Reset': '1800000030000',
      'RateLimit-Policy': '"orders";q=5;w=60',
      RateLimit: '"orders";r=2;t=30',
    });
  });

  it('tell a denied caller when to come back, in whole seconds rounded up', () => {
    const denial = { ...perMinute, allowed: false, remaining: 0 };
    expect(headers({ ...denial, retryAfter: { seconds: 7n, nanos: 1000 } })['Retry-After']).toBe('8');
    expect(headers({ ...denial, retryAfter: { nanos: 1000 } })['Retry-After']).toBe('1');
  });

  it('list every limit, the one that decided first', () => {
    const decision = { ...perHour, allowed: true, limits: [perMinute, perHour] };
    expect(headers(decision)).toMatchObject({
      'X-RateLimit-Limit': '20',
      'RateLimit-Policy': '"orders:hour";q=20;w=3600, "orders:minute";q=5;w=60',
      RateLimit: '"orders:hour";r=9;t=2400, "orders:minute";r=2;t=30',
    });
  });

  it('give a limit that several keys count against once, as the one with the least left has it', () => {
    const user = { ...perMinute, identifier: 'user:1', remaining: 1 };
    const address = { ...perMinute, identifier: 'ip:203.0.113.9', remaining: 4 };
    expect(headers({ ...user, allowed: true, limits: [address, user] })).toMatchObject({
      'RateLimit-Policy': '"orders:minute";q=5;w=60',
      RateLimit: '"orders:minute";r=1;t=30',
    });
  });

  it('count units held at one time as concurrent requests, without a window', () => {
    const held = { ...perMinute, algorithm: Algorithm.CONCURRENCY };
    expect(headers({ ...held, allowed: true })['RateLimit-Policy']).toBe(
      '"orders:minute";q=5;qu="concurrent-requests"',
    );
  });

  it('leave out limits in shadow mode', () => {
    const shadow = { ...perHour, remaining: 0, shadow: true };
    expect(headers({ ...perMinute, allowed: true, limits: [perMinute, shadow] })).toMatchObject({
      'RateLimit-Policy': '"orders:minute";q=5;w=60',
      RateLimit: '"orders:minute";r=2;t=30',
    });
  });

  it.each([
    [
      'only a limit in shadow mode was asked',
      { ...perHour, allowed: true, limits: [{ ...perHour, shadow: true }] },
    ],
    ['there is no limit', { allowed: true, rule: 'orders' }],
  ])('are none where %s', (_, decision) => {
    expect(headers(decision)).toEqual({});
  });

  it('mark a bypass', () => {
    expect(headers({ ...perMinute, allowed: true, bypassed: true })['X-RateLimit-Bypass']).toBe('true');
  });
});
