import type { MethodImpl } from '@connectrpc/connect';
import type { AuthenticationService } from '../../../../gen/optix/identity/v1/authentication_service_pb.ts';
import type { RevokeDeps } from '../../domain/revoke-session.ts';
import { signOut as end, type SignOutToken } from '../../domain/revoke-token.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';
import { takeToken } from '../token/token-field.ts';

/** optix.identity.v1.AuthenticationService/SignOut */
export function signOut({
  revocation,
}: {
  readonly revocation: RevokeDeps;
}): MethodImpl<typeof AuthenticationService.method.signOut> {
  return async ({ accessToken, refreshToken, device }, call) => {
    const fields = new Fields();
    if (accessToken !== '' && refreshToken !== '') {
      fields.add('refresh_token', 'must not be set where access_token is');
    }
    const token: SignOutToken =
      refreshToken === ''
        ? { kind: 'access', token: takeToken(fields, 'access_token', accessToken) }
        : { kind: 'refresh', token: takeToken(fields, 'refresh_token', refreshToken) };
    const from = takeDevice(fields, device, call);
    fields.check();
    await end(revocation, token, from);
    return {};
  };
}
