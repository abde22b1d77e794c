import type { HandlerContext, MethodImpl } from '@connectrpc/connect';
import {
  type IdentityService,
  type UpdateUserRequest,
  UpdateUserRequestSchema,
} from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import { InvalidRequest } from '../../../../runtime/errors.ts';
import type { IdentityContext } from '../../context.ts';
import type { UserChange } from '../../domain/users/change-user.ts';
import { updateProfile } from '../../domain/users/update-profile.ts';
import type { ProfileChanges } from '../../domain/users.ts';
import { takeOrigin } from '../change-origin.ts';
import { Fields } from '../fields.ts';
import { requestKeyOf } from '../request-key.ts';
import { requireScope } from '../require-scope.ts';
import { userMessage } from '../user-message.ts';
import { takeProfileChanges } from './profile-changes.ts';
import { parseUuid } from './user-fields.ts';

type Context = Pick<IdentityContext, 'userAdmin' | 'requestKeys'>;

/** optix.identity.v1.IdentityService/UpdateUser */
export function updateUser(context: Context): MethodImpl<typeof IdentityService.method.updateUser> {
  return async (request, call) => {
    const { change, changes } = updateOf(context, request, call);
    const user = await updateProfile(context.userAdmin, change, changes, () =>
      requireScope(call, 'users.admin', 'to change the address of an admin'),
    );
    return { user: userMessage(user) };
  };
}

function updateOf(
  context: Context,
  request: UpdateUserRequest,
  call: HandlerContext,
): { readonly change: UserChange; readonly changes: ProfileChanges } {
  const { user, updateMask, actor } = request;
  if (user === undefined) throw new InvalidRequest([{ field: 'user', description: 'must be set' }]);
  const fields = new Fields();
  const id = fields.take('user.id', parseUuid(user.id));
  const changes = takeProfileChanges(fields, user, updateMask);
  const origin = takeOrigin(fields, call, { actor });
  fields.check();
  const requestKey = requestKeyOf(context, call, UpdateUserRequestSchema, request);
  return { change: { id, etag: user.etag || null, requestKey, origin }, changes };
}
