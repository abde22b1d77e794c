import type { MethodImpl } from '@connectrpc/connect';
import type { TokenService } from '../../../../gen/optix/identity/v1/token_service_pb.ts';
import { type IntrospectDeps, introspect } from '../../domain/introspect.ts';
import { introspectionResponse } from './introspection-response.ts';

/** optix.identity.v1.TokenService/IntrospectToken */
export function introspectToken({
  introspection,
}: {
  readonly introspection: IntrospectDeps;
}): MethodImpl<typeof TokenService.method.introspectToken> {
  return async ({ token }) => introspectionResponse(await introspect(introspection, token));
}
