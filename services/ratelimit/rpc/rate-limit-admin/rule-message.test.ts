import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Algorithm } from '../../../../gen/optix/ratelimit/v1/limit_pb.ts';
import {
  type RuleMode,
  RuleOrigin,
  RuleSchema,
  type StoreFailurePolicy,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { InvalidRule } from '../../domain/errors.ts';
import { defineRule } from '../../domain/rule.ts';
import { arbitraryDefinition } from '../../domain/testing-definitions.ts';
import { ruleDefinition, ruleMessage } from './rule-message.ts';

describe('a rule as a message', () => {
  it('is read as the same rule, having been on the wire', () => {
    fc.assert(
      fc.property(arbitraryDefinition, (definition) => {
        const rule = defineRule(definition);
        const sent = toBinary(RuleSchema, ruleMessage({ rule, origin: 'FILE' }));
        const message = fromBinary(RuleSchema, sent);
        expect(defineRule(ruleDefinition(message))).toEqual(rule);
        expect([message.etag, message.origin]).toEqual([rule.version, RuleOrigin.FILE]);
      }),
    );
  });

  it('leaves the burst of what has none of its own alone, so that the limit can be changed by itself', () => {
    const rule = defineRule({
      name: 'a',
      limits: [{ limit: 5, windowMicros: 1_000 }],
      onStoreFailure: 'FAIL_OPEN',
    });
    const message = ruleMessage({ rule, origin: 'LIVE' });
    for (const limit of message.limits) limit.limit = 9;
    expect(defineRule(ruleDefinition(message)).limits[0]).toMatchObject({ limit: 9, burst: 9 });
  });

  it('takes the contract’s defaults', () => {
    const message = create(RuleSchema, { name: 'a', limits: [{ limit: 5, window: { seconds: 60n } }] });
    expect(defineRule(ruleDefinition(message))).toMatchObject({
      mode: 'ENFORCED',
      bypassRoles: [],
      onStoreFailure: 'FAIL_OPEN',
      limits: [{ algorithm: 'SLIDING_WINDOW_LOG', windowMicros: 60_000_000, burst: 5, shadow: false }],
    });
  });
});

describe('a message that holds what no rule can', () => {
  const limit = { limit: 5, window: { seconds: 60n, nanos: 0 } };
  it.each([
    ['limits[0].window', { limits: [{ limit: 5 }] }],
    ['limits[0].window', { limits: [{ limit: 5, window: { seconds: 60n, nanos: 1 } }] }],
    ['limits[0].window', { limits: [{ limit: 5, window: { seconds: 60n, nanos: -1000 } }] }],
    ['limits[0].window', { limits: [{ limit: 5, window: { seconds: -60n } }] }],
    ['limits[0].window', { limits: [{ limit: 5, window: { seconds: 9_223_372_036_854_775_807n } }] }],
    ['limits[0].window', { limits: [{ limit: 5, window: { seconds: 34_560_000n, nanos: 1_000 } }] }],
    ['limits[0].algorithm', { limits: [{ ...limit, algorithm: 99 as Algorithm }] }],
    ['limits[0].burst', { limits: [{ ...limit, burst: 6 }] }],
    ['limits[0].burst', { limits: [{ ...limit, algorithm: Algorithm.TOKEN_BUCKET, burst: 4_294_967_295 }] }],
    ['mode', { limits: [limit], mode: 99 as RuleMode }],
    ['on_store_failure', { limits: [limit], onStoreFailure: 99 as StoreFailurePolicy }],
    ['overrides[0].mode', { limits: [limit], overrides: [{ identifier: 'x', mode: 99 as RuleMode }] }],
  ])('is refused for its %s: %o', (field, fault) => {
    const refused = () => defineRule(ruleDefinition(create(RuleSchema, { name: 'a', ...fault })));
    expect(refused).toThrow(InvalidRule);
    expect(refused).toThrow(field);
  });
});
