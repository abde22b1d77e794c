import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import {
  BatchIntrospectTokensResponseSchema,
  IntrospectTokenResponseSchema,
} from '../../../../gen/optix/identity/v1/token_service_pb.ts';
import type { Introspection } from '../../domain/introspect.ts';
import type { Uuid } from '../../domain/uuid.ts';
import {
  encodeBatchIntrospectTokensResponse,
  encodeIntrospectTokenResponse,
  introspectionResponse,
} from './introspection-response.ts';

const id = '019b0000-0000-7000-8000-000000000000' as Uuid;

function active(): Introspection {
  return {
    active: true,
    claims: {
      ...{ iss: 'https://identity.example', aud: ['optix'], sub: id, sid: id, jti: 'j' },
      ...{ iat: 1_790_000_000, nbf: 1_790_000_000, exp: 1_790_000_900, roles: ['user'], gen: 1, kid: 'k' },
      ...{ amr: ['pwd', 'otp', 'mfa'], acr: 'aal2', auth_time: 1_789_999_000 },
    },
    clientId: 'optix',
    state: {
      session: { userId: id, expiresAt: 1, lastActivityAt: 1, mfaVerified: false, revokedTokens: [] },
      user: { email: 'ädä@example.com', roles: ['admin', 'user'], tokenGeneration: 1 },
    },
  };
}

test('an active token: all of RFC 7662 that there is, roles as of now', () => {
  const answer = introspectionResponse(active());
  expect(fromBinary(IntrospectTokenResponseSchema, encodeIntrospectTokenResponse(answer))).toMatchObject({
    ...{ active: true, sub: id, sid: id, jti: 'j', iss: 'https://identity.example', aud: ['optix'] },
    ...{ exp: 1_790_000_900n, iat: 1_790_000_000n, nbf: 1_790_000_000n, tokenType: 'Bearer' },
    ...{ username: 'ädä@example.com', roles: ['admin', 'user'], mfaVerified: false, clientId: 'optix' },
    ...{ amr: ['pwd', 'otp', 'mfa'], acr: 'aal2', authTime: 1_789_999_000n },
  });
});

test('a token of a version that did not tell of the authentication: nothing is made up', () => {
  const found = active();
  if (!found.active) throw new Error('it is active');
  const { amr, acr, auth_time, ...claims } = found.claims;
  const answer = introspectionResponse({ ...found, claims, state: { ...found.state } });
  expect(answer).toMatchObject({ active: true, amr: [] });
  expect([answer.acr, answer.authTime]).toEqual([undefined, undefined]);
});

test('an inactive one: nothing more', () => {
  const answer = introspectionResponse({ active: false });
  expect(answer).toEqual(create(IntrospectTokenResponseSchema, { active: false }));
  expect(encodeIntrospectTokenResponse(answer)).toHaveLength(0);
});

test('the same state gives the same answer, another one another', () => {
  const found = active();
  expect(introspectionResponse(found)).toBe(introspectionResponse(found));
  expect(introspectionResponse(active())).not.toBe(introspectionResponse(found));
});

test('a batch is encoded as the generic encoder does it', () => {
  const results = [active(), { active: false } as const, active()].map(introspectionResponse);
  const message = create(BatchIntrospectTokensResponseSchema, { results });
  expect(encodeBatchIntrospectTokensResponse(message)).toEqual(
    Buffer.from(toBinary(BatchIntrospectTokensResponseSchema, message)),
  );
});
