import { create } from '@bufbuild/protobuf';
import type { MethodImpl } from '@connectrpc/connect';
import {
  BatchIntrospectTokensRequestSchema,
  BatchIntrospectTokensResponseSchema,
  type TokenService,
} from '../../../../gen/optix/identity/v1/token_service_pb.ts';
import { requestRules } from '../../../../runtime/validation.ts';
import { type IntrospectDeps, introspectAll } from '../../domain/introspect.ts';
import { introspectionResponse } from './introspection-response.ts';

const MAX_TOKENS = 1_000;

export const batchIntrospectTokensRules = requestRules(
  BatchIntrospectTokensRequestSchema,
  ({ tokens }, violations) => violations.entries('tokens', tokens, MAX_TOKENS),
);

/** optix.identity.v1.TokenService/BatchIntrospectTokens */
export function batchIntrospectTokens({
  introspection,
}: {
  readonly introspection: IntrospectDeps;
}): MethodImpl<typeof TokenService.method.batchIntrospectTokens> {
  return async ({ tokens }) => {
    const found = await introspectAll(introspection, tokens);
    return create(BatchIntrospectTokensResponseSchema, { results: found.map(introspectionResponse) });
  };
}
