import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import {
  CreateUserRequestSchema,
  IdentityService,
} from '../../../gen/optix/identity/v1/identity_service_pb.ts';
import { setCaller } from '../../../runtime/call-context.ts';
import { InvalidRequest } from '../../../runtime/errors.ts';
import { requestKeyOf, requestKeysFrom } from './request-key.ts';

const deps = { requestKeys: requestKeysFrom(new Uint8Array(32)) };
const context = { method: IdentityService.method.createUser } as unknown as HandlerContext;
const keyOf = (fields: MessageInitShape<typeof CreateUserRequestSchema>) =>
  requestKeyOf(deps, context, CreateUserRequestSchema, create(CreateUserRequestSchema, fields));

test('names the caller, the RPC and the id', () => {
  const called = { method: IdentityService.method.createUser } as unknown as HandlerContext;
  setCaller(called, { name: 'console', scopes: new Set(), credential: 'api_key' });
  const request = create(CreateUserRequestSchema, { requestId: 'a b' });
  expect(requestKeyOf(deps, called, CreateUserRequestSchema, request)).toMatchObject({
    caller: 'console',
    rpc: 'optix.identity.v1.IdentityService/CreateUser',
    requestId: 'a b',
  });
  expect(request.requestId).toBe('a b');
  expect(keyOf({ requestId: 'a' })?.caller).toBe('');
});

test('no id, no key', () => {
  expect(keyOf({ email: 'ada@example.com' })).toBeNull();
});

test('tells requests apart by everything but their id', () => {
  const mac = keyOf({ requestId: 'a', password: 'one' })?.mac;
  expect(mac).toHaveLength(32);
  expect(keyOf({ requestId: 'b', password: 'one' })?.mac).toEqual(mac);
  expect(keyOf({ requestId: 'a', password: 'two' })?.mac).not.toEqual(mac);
  expect(keyOf({ requestId: 'a', firstName: 'one' })?.mac).not.toEqual(mac);
});

test('what stands for a password can not be found by trying: it is keyed', () => {
  const other = { requestKeys: requestKeysFrom(new Uint8Array(32).fill(1)) };
  const request = create(CreateUserRequestSchema, { requestId: 'a', password: 'one' });
  expect(requestKeyOf(other, context, CreateUserRequestSchema, request)?.mac).not.toEqual(
    keyOf({ requestId: 'a', password: 'one' })?.mac,
  );
});

test.each(['a'.repeat(129), 'a\n', 'ä', '\u0000'])('refuses the id %j', (requestId) => {
  expect(() => keyOf({ requestId })).toThrow(InvalidRequest);
});

test('takes ids of up to 128 characters', () => {
  expect(keyOf({ requestId: 'a'.repeat(128) })?.requestId).toHaveLength(128);
});
