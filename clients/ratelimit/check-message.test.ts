import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Code, type ConnectError } from '@connectrpc/connect';
import { expect, it } from 'vitest';
import { CheckLimitRequestSchema } from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { fieldsOf } from '../../testing/failure.ts';
import { checkBytes, checkMessage } from './check-message.ts';
import type { Check } from './limiter.ts';

it.each<[string, Check]>([
  ['of nothing', {}],
  ['with what it must have', { endpoint: 'orders', identifier: 'user:ä€😀' }],
  [
    'with everything',
    {
      ...{ endpoint: 'orders', identifier: 'user:1', cost: 0xffff_ffff, roles: ['admin', ''] },
      also: [{ identifier: 'ip:192.0.2.1' }, { endpoint: 'all', identifier: '*', cost: 2 }],
      refundable: true,
    },
  ],
])('a check %s is the message that create() makes, and not larger than said', (_, check) => {
  const message = checkMessage(check);
  const bytes = toBinary(CheckLimitRequestSchema, message);
  expect(fromBinary(CheckLimitRequestSchema, bytes)).toEqual(create(CheckLimitRequestSchema, check));
  expect(checkBytes(message)).toBeGreaterThanOrEqual(bytes.length);
});

it.each<[string, unknown]>([
  ['endpoint', { endpoint: 7 }],
  ['identifier', { identifier: null }],
  ['cost', { cost: -1 }],
  ['cost', { cost: 0.5 }],
  ['cost', { cost: 2 ** 32 }],
  ['roles', { roles: 'admin' }],
  ['roles[1]', { roles: ['a', 7] }],
  ['also', { also: {} }],
  ['also[1].cost', { also: [{}, { cost: Number.NaN }] }],
])('what can not be encoded is refused by its name: %s', (field, check) => {
  const make = () => checkMessage(check as Check);
  expect(make).toThrow(field);
  try {
    make();
  } catch (error) {
    expect((error as ConnectError).code).toBe(Code.InvalidArgument);
    expect(fieldsOf(error as ConnectError)).toEqual([field]);
  }
});
