import type { MethodImpl } from '@connectrpc/connect';
import {
  type IdentityService,
  UpdateUserRolesRequestSchema,
} from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { updateRoles } from '../../domain/users/update-roles.ts';
import { Fields } from '../fields.ts';
import { requireScope } from '../require-scope.ts';
import { userMessage } from '../user-message.ts';
import { userChangeOf } from './user-change.ts';
import { parseRoles } from './user-fields.ts';

/** optix.identity.v1.IdentityService/UpdateUserRoles */
export function updateUserRoles(
  context: Pick<IdentityContext, 'userAdmin' | 'requestKeys'>,
): MethodImpl<typeof IdentityService.method.updateUserRoles> {
  return async (request, call) => {
    const fields = new Fields();
    if (request.roles.length === 0) fields.add('roles', 'must not be empty');
    const roles = fields.take('roles', parseRoles(request.roles));
    const change = userChangeOf(context, call, UpdateUserRolesRequestSchema, request, fields);
    if (roles.includes('admin')) requireScope(call, 'users.admin', 'to give the role admin');
    return { user: userMessage(await updateRoles(context.userAdmin, change, roles)) };
  };
}
