import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { durationFromMs, durationMs } from '@bufbuild/protobuf/wkt';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Algorithm } from '../../gen/optix/ratelimit/v1/limit_pb.ts';
import {
  type CheckLimitResponse,
  CheckLimitResponseSchema,
  DecisionSource,
} from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { checkMessage } from './check-message.ts';
import { DenialMemory } from './denial-memory.ts';
import type { Check } from './limiter.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const ORDERS = { endpoint: 'orders', identifier: 'user:1' };

function decision(over: MessageInitShape<typeof CheckLimitResponseSchema> = {}): CheckLimitResponse {
  return create(CheckLimitResponseSchema, {
    ...{ allowed: false, limit: 5, rule: 'orders', source: DecisionSource.REDIS },
    retryAfter: durationFromMs(400),
    ...over,
  });
}

function memory({ maxKeys = 100, maxMs = 1000 } = {}) {
  const of = new DenialMemory(maxKeys, maxMs);
  return {
    note: (check: Check, answer = decision(), askedAt = performance.now()) =>
      of.note(checkMessage(check), answer, askedAt),
    recall: (check: Check) => of.recall(checkMessage(check)),
    forget: (receipt: string) => of.forget(receipt),
  };
}

describe('a remembered denial', () => {
  it('answers the same check until there is room, saying how long that still takes', () => {
    const { note, recall } = memory();
    note(ORDERS);
    vi.advanceTimersByTime(150);
    const answer = recall(ORDERS);
    expect(answer).toMatchObject({ allowed: false, limit: 5, rule: 'orders', source: DecisionSource.CACHE });
    expect(answer?.retryAfter && durationMs(answer.retryAfter)).toBe(250);
    vi.advanceTimersByTime(249);
    expect(recall(ORDERS)).toBeDefined();
    vi.advanceTimersByTime(1);
    expect(recall(ORDERS)).toBeUndefined();
  });

  it('is believed for no longer than it may go unnoticed that the limit was reset', () => {
    const { note, recall } = memory({ maxMs: 100 });
    note(ORDERS, decision({ retryAfter: durationFromMs(3_600_000) }));
    vi.advanceTimersByTime(99);
    expect(recall(ORDERS)).toBeDefined();
    vi.advanceTimersByTime(1);
    expect(recall(ORDERS)).toBeUndefined();
  });

  it('answers a check of the same cost or more, but not one that is above the limit and so an error', () => {
    const { note, recall } = memory();
    note({ ...ORDERS, cost: 3 });
    const answered = [0, 1, 2, 3, 4, 5, 6].filter((cost) => recall({ ...ORDERS, cost }) !== undefined);
    expect(answered).toEqual([3, 4, 5]);
  });

  it('goes by the smallest of several limits, not by the one that denied it', () => {
    const { note, recall } = memory();
    const limits = [{ limit: 20 }, { limit: 5 }, { limit: 1, shadow: true }];
    note(ORDERS, decision({ limit: 20, limits }));
    const answered = [1, 5, 6, 20].filter((cost) => recall({ ...ORDERS, cost }) !== undefined);
    expect(answered).toEqual([1, 5]);
  });

  it.each([
    ['another identifier', { ...ORDERS, identifier: 'user:2' }],
    ['another endpoint', { ...ORDERS, endpoint: 'order', identifier: 'suser:1' }],
    ['other roles, which may bypass the limit', { ...ORDERS, roles: ['admin'] }],
    ['further keys', { ...ORDERS, also: [{ identifier: 'ip:192.0.2.1' }] }],
  ])('does not answer a check with %s', (_, other) => {
    const { note, recall } = memory();
    note(ORDERS);
    expect(recall(other)).toBeUndefined();
  });

  it('is the newest of a bounded number', () => {
    const { note, recall } = memory({ maxKeys: 2 });
    const of = (user: number) => ({ ...ORDERS, identifier: `user:${user}` });
    for (const user of [1, 2, 1, 3]) note(of(user));
    expect([1, 2, 3].map((user) => recall(of(user)) !== undefined)).toEqual([true, false, true]);
  });
});

it.each([
  ['an allowed check', ORDERS, decision({ allowed: true })],
  ['a denial that tells no time', ORDERS, { ...decision(), retryAfter: undefined }],
  ['held units, which come back at any moment', ORDERS, decision({ algorithm: Algorithm.CONCURRENCY })],
  ['a store that is away and may be back', ORDERS, decision({ source: DecisionSource.FALLBACK_CLOSED })],
  ['a check with further keys', { ...ORDERS, also: [{ identifier: 'ip:192.0.2.1' }] }, decision()],
])('nothing is remembered of %s', (_, check, answer) => {
  const { note, recall } = memory();
  note(check, answer as CheckLimitResponse);
  expect(recall(ORDERS)).toBeUndefined();
});

describe('giving back', () => {
  const OTHER = { ...ORDERS, identifier: 'user:2' };

  it('forgets the denial of the key that the receipt took units of', () => {
    const { note, recall, forget } = memory();
    note(ORDERS, decision({ allowed: true, receipt: 'r1' }));
    note(ORDERS);
    note(OTHER);
    forget('r1');
    expect([recall(ORDERS), recall(OTHER) !== undefined]).toEqual([undefined, true]);
  });

  it('forgets all denials where it is not known what the receipt was for', () => {
    const { note, recall, forget } = memory();
    note(ORDERS);
    note(OTHER);
    forget('of another process');
    expect([recall(ORDERS), recall(OTHER)]).toEqual([undefined, undefined]);
  });

  it('keeps a denial from being remembered that was asked for before', () => {
    const { note, recall, forget } = memory();
    const askedAt = performance.now();
    vi.advanceTimersByTime(5);
    forget('r1');
    note(ORDERS, decision(), askedAt);
    expect(recall(ORDERS)).toBeUndefined();
    vi.advanceTimersByTime(1);
    note(ORDERS);
    expect(recall(ORDERS)).toBeDefined();
  });
});
