import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import {
  CheckLimitResponseSchema,
  DecisionSource,
} from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { limitAnswer } from './limit-answer.ts';

const DENIED = { rule: 'orders', limit: 5, retryAfter: { seconds: 11n, nanos: 1 } };
const OWN = { 'x-auth-user-id': '4711' };

const answer = (decision: MessageInitShape<typeof CheckLimitResponseSchema>) =>
  limitAnswer(create(CheckLimitResponseSchema, decision), OWN);

it('lets through what is allowed, with the headers of both', () => {
  const { status, headers, body } = answer({ rule: 'orders', allowed: true, limit: 5, remaining: 4 });
  expect([status, body]).toEqual([200, '']);
  expect(headers).toMatchObject({ ...OWN, 'X-RateLimit-Remaining': '4', RateLimit: '"orders";r=4;t=0' });
});

it('lets through what is not limited at all, and tells of no limit', () => {
  const { status, headers } = answer({ allowed: true });
  expect(status).toBe(200);
  expect(headers).toEqual({ ...OWN, 'cache-control': 'no-store' });
});

it('refuses what has no room with 429, and names nobody', () => {
  const { status, headers, body } = answer(DENIED);
  expect(status).toBe(429);
  expect(headers).toMatchObject({ 'Retry-After': '12', 'X-RateLimit-Limit': '5' });
  expect(headers).not.toHaveProperty('x-auth-user-id');
  expect(JSON.parse(body)).toMatchObject({ status: 429, retry_after: 12, rule: 'orders' });
});

it('does not blame the client where the store is away and the rule refuses then', () => {
  const { status, headers, body } = answer({ ...DENIED, source: DecisionSource.FALLBACK_CLOSED });
  expect(status).toBe(503);
  expect(headers).toMatchObject({ 'Retry-After': '12' });
  expect(headers).not.toHaveProperty('X-RateLimit-Limit');
  expect(JSON.parse(body)).toMatchObject({ status: 503, retry_after: 12 });
});
