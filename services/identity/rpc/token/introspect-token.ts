import type { MethodImpl } from '@connectrpc/connect';
import type { TokenService } from '../../../../gen/optix/identity/v1/token_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { introspect } from '../../domain/introspect.ts';

/** optix.identity.v1.TokenService/IntrospectToken */
export function introspectToken({
  introspection,
}: IdentityContext): MethodImpl<typeof TokenService.method.introspectToken> {
  return async (request) => {
    const found = await introspect(introspection, request.token);
    if (!found.active) return { active: false };
    const { claims, state } = found;
    return {
      active: true,
      sub: claims.sub,
      sid: claims.sid,
      jti: claims.jti,
      iss: claims.iss,
      aud: [...claims.aud],
      exp: BigInt(claims.exp),
      iat: BigInt(claims.iat),
      nbf: BigInt(claims.nbf),
      tokenType: 'Bearer',
      username: state.email,
      roles: [...state.roles],
      mfaVerified: state.mfaVerified,
    };
  };
}
