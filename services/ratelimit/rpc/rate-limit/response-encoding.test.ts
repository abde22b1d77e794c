import { create, type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import { DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LimitStatus, LimitStatusSchema } from '../../../../gen/optix/ratelimit/v1/limit_pb.ts';
import {
  BatchCheckLimitsResponseSchema,
  type CheckLimitResponse,
  CheckLimitResponseSchema,
  StreamCheckLimitsResponse_ItemSchema,
  StreamCheckLimitsResponseSchema,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import {
  encodeBatchCheckLimitsResponse,
  encodeCheckLimitResponse,
  encodeStreamCheckLimitsResponse,
} from './response-encoding.ts';

const time = fc.record({
  seconds: fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 253_402_300_799n })),
  nanos: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 999_999_999 })),
});
const uint32 = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffffffff }));
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 50 }),
  fc.string({ unit: 'binary-ascii', maxLength: 50 }),
  fc.constantFrom('a'.repeat(127), 'a'.repeat(128), 'é'.repeat(64), 'a'.repeat(16_384), `${'a'.repeat(39)}€`),
);
const status: fc.Arbitrary<LimitStatus> = fc
  .record({ rule: text, limit: uint32, allowed: fc.boolean(), resetTime: time })
  .map((fields) => create(LimitStatusSchema, fields));
const response: fc.Arbitrary<CheckLimitResponse> = fc
  .record({
    allowed: fc.boolean(),
    limit: uint32,
    remaining: uint32,
    resetTime: fc.option(time, { nil: undefined }),
    retryAfter: fc.option(time, { nil: undefined }),
    bypassed: fc.boolean(),
    rule: text,
    ruleVersion: text,
    window: fc.option(time, { nil: undefined }),
    source: fc.integer({ min: 0, max: 9 }),
    algorithm: fc.integer({ min: 0, max: 5 }),
    limitName: text,
    shadowDenied: fc.boolean(),
    limits: fc.array(status, { maxLength: 3 }),
    receipt: text,
  })
  .map(({ resetTime, retryAfter, window, ...rest }) =>
    Object.assign(create(CheckLimitResponseSchema, rest as object), {
      ...(resetTime && { resetTime: create(TimestampSchema, resetTime) }),
      ...(retryAfter && { retryAfter: create(DurationSchema, retryAfter) }),
      ...(window && { window: create(DurationSchema, window) }),
    }),
  );
const item = fc.record({
  id: uint32,
  outcome: fc.oneof(
    response.map((value) => ({ case: 'decision' as const, value })),
    fc
      .record({ code: fc.integer({ min: 0, max: 16 }), message: text })
      .map((value) => ({ case: 'error' as const, value })),
    fc.constant({ case: undefined }),
  ),
});

function binary<D extends DescMessage>(schema: D, message: MessageShape<D>): Buffer {
  return Buffer.from(toBinary(schema, message));
}

/** Names of fields that a message has no value in. */
function unsetFields<D extends DescMessage>(schema: D, message: MessageShape<D>): string[] {
  const view = reflect(schema, message);
  return view.fields
    .filter((field) => field.oneof === undefined && !view.isSet(field))
    .map(({ name }) => name);
}

const FULL: CheckLimitResponse = create(CheckLimitResponseSchema, {
  allowed: true,
  limit: 1,
  remaining: 1,
  resetTime: { seconds: 1n },
  retryAfter: { nanos: 1 },
  bypassed: true,
  rule: 'rule',
  ruleVersion: 'version',
  window: { seconds: 1n, nanos: 1 },
  source: 1,
  algorithm: 1,
  limitName: 'name',
  shadowDenied: true,
  limits: [{ rule: 'rule' }],
  receipt: 'receipt',
});

describe('the encoders of answers', () => {
  it('write what the generic encoder writes, to the byte', () => {
    fc.assert(
      fc.property(response, (message) => {
        expect(encodeCheckLimitResponse(message)).toEqual(binary(CheckLimitResponseSchema, message));
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(
        fc.array(response, { maxLength: 4 }),
        fc.boolean(),
        text,
        (decisions, allAllowed, receipt) => {
          const message = create(BatchCheckLimitsResponseSchema, { decisions, allAllowed, receipt });
          const expected = binary(BatchCheckLimitsResponseSchema, message);
          expect(encodeBatchCheckLimitsResponse(message)).toEqual(expected);
        },
      ),
    );
    fc.assert(
      fc.property(fc.array(item, { maxLength: 4 }), (items) => {
        const message = create(StreamCheckLimitsResponseSchema, { items });
        const expected = binary(StreamCheckLimitsResponseSchema, message);
        expect(encodeStreamCheckLimitsResponse(message)).toEqual(expected);
      }),
    );
  });

  it('begin anew after an answer that could not be written', () => {
    const bad = create(CheckLimitResponseSchema, { rule: 'rule' });
    bad.limits.push({ ...create(LimitStatusSchema), limit: -1 });
    expect(() => encodeCheckLimitResponse(bad)).toThrow();
    expect(encodeCheckLimitResponse(FULL)).toEqual(binary(CheckLimitResponseSchema, FULL));
  });

  it('know every field that the contract has', () => {
    expect(unsetFields(CheckLimitResponseSchema, FULL)).toEqual([]);
    expect(encodeCheckLimitResponse(FULL)).toEqual(binary(CheckLimitResponseSchema, FULL));
    const batch = create(BatchCheckLimitsResponseSchema, {
      decisions: [FULL],
      allAllowed: true,
      receipt: 'receipt',
    });
    expect(unsetFields(BatchCheckLimitsResponseSchema, batch)).toEqual([]);
    const stream = create(StreamCheckLimitsResponseSchema, { items: [{ id: 1 }] });
    expect(unsetFields(StreamCheckLimitsResponseSchema, stream)).toEqual([]);
    const names = StreamCheckLimitsResponse_ItemSchema.fields.map(({ name }) => name);
    expect(names).toEqual(['id', 'decision', 'error']);
    const large = create(StreamCheckLimitsResponseSchema, {
      items: Array.from({ length: 1_000 }, (_, id) =>
        create(StreamCheckLimitsResponse_ItemSchema, { id, outcome: { case: 'decision', value: FULL } }),
      ),
    });
    expect(encodeStreamCheckLimitsResponse(large)).toEqual(binary(StreamCheckLimitsResponseSchema, large));
  });
});
