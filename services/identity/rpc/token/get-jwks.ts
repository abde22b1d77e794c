import type { MethodImpl } from '@connectrpc/connect';
import type { TokenService } from '../../../../gen/optix/identity/v1/token_service_pb.ts';
import type { IdentityContext } from '../../context.ts';

/** optix.identity.v1.TokenService/GetJwks */
export function getJwks({
  signingKeys,
}: Pick<IdentityContext, 'signingKeys'>): MethodImpl<typeof TokenService.method.getJwks> {
  return async () => {
    const { keys } = await signingKeys.jwks();
    return { keys: [...keys] };
  };
}
