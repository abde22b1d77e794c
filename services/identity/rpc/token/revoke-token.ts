import type { MethodImpl } from '@connectrpc/connect';
import type { TokenService } from '../../../../gen/optix/identity/v1/token_service_pb.ts';
import type { RevokeDeps } from '../../domain/revoke-session.ts';
import { revokeToken as revoke } from '../../domain/revoke-token.ts';
import { takeOrigin } from '../change-origin.ts';
import { Fields } from '../fields.ts';
import { takeToken } from './token-field.ts';

/** optix.identity.v1.TokenService/RevokeToken */
export function revokeToken({
  revocation,
}: {
  readonly revocation: RevokeDeps;
}): MethodImpl<typeof TokenService.method.revokeToken> {
  return async (request, call) => {
    const fields = new Fields();
    const token = takeToken(fields, 'token', request.token);
    const origin = takeOrigin(fields, call, request);
    fields.check();
    await revoke(revocation, token, origin);
    return {};
  };
}
