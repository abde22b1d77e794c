import { AuthenticationService } from '../../gen/optix/identity/v1/authentication_service_pb.ts';
import { IdentityService } from '../../gen/optix/identity/v1/identity_service_pb.ts';
import { TokenService } from '../../gen/optix/identity/v1/token_service_pb.ts';
import { type ServiceTable, serviceTable } from '../../runtime/service-table.ts';
import type { IdentityContext } from './context.ts';
import { authenticate } from './rpc/authentication/authenticate.ts';
import { register } from './rpc/authentication/register.ts';
import { getUser } from './rpc/identity/get-user.ts';
import { getJwks } from './rpc/token/get-jwks.ts';
import { introspectToken } from './rpc/token/introspect-token.ts';

/** Every RPC of the service and its handler. */
export function serviceTables(context: IdentityContext): readonly ServiceTable[] {
  return [
    serviceTable(IdentityService, { getUser: getUser(context) }),
    serviceTable(AuthenticationService, {
      register: register(context),
      authenticate: authenticate(context),
    }),
    serviceTable(TokenService, {
      introspectToken: introspectToken(context),
      getJwks: getJwks(context),
    }),
  ];
}
