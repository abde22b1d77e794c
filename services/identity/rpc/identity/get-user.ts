import type { MethodImpl } from '@connectrpc/connect';
import type { IdentityService } from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import { InvalidRequest } from '../../../../runtime/errors.ts';
import type { IdentityContext } from '../../context.ts';
import { getUser as readUser } from '../../domain/get-user.ts';
import { isUuid } from '../../domain/uuid.ts';
import { userMessage } from '../user-message.ts';

/** optix.identity.v1.IdentityService/GetUser */
export function getUser({ users }: IdentityContext): MethodImpl<typeof IdentityService.method.getUser> {
  return async (request) => {
    const id = request.id.toLowerCase();
    if (!isUuid(id)) throw new InvalidRequest([{ field: 'id', description: 'must be a UUID' }]);
    return { user: userMessage(await readUser(users, id)) };
  };
}
