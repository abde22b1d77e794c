import { IdentityService } from '../../gen/optix/identity/v1/identity_service_pb.ts';
import { type ConnectionFlags, callService } from './call-service.ts';
import { IDENTITY_ADDRESS } from './identity-address.ts';

/**
 * The id of the user that an id or an e-mail address names. An id is taken as it is: sessions and events outlast users.
 *
 * @throws Error with the service's refusal, as one line
 */
export async function userIdOf(user: string, flags: ConnectionFlags): Promise<string> {
  if (!user.includes('@')) return user;
  const found = await callService(IdentityService, IDENTITY_ADDRESS, flags, (users) =>
    users.getUser({ email: user }),
  );
  return found.user?.id ?? '';
}
