import type { HandlerContext, MethodImpl } from '@connectrpc/connect';
import {
  type CreateUserRequest,
  CreateUserRequestSchema,
  type IdentityService,
} from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { parseEmail } from '../../domain/email.ts';
import { parsePersonName } from '../../domain/person-name.ts';
import { parsePhone } from '../../domain/phone.ts';
import { createUser as create, type UserCreation } from '../../domain/users/create-user.ts';
import { takeOrigin } from '../change-origin.ts';
import { Fields } from '../fields.ts';
import { requestKeyOf } from '../request-key.ts';
import { requireScope } from '../require-scope.ts';
import { userMessage } from '../user-message.ts';
import { parseRoles } from './user-fields.ts';

type Context = Pick<IdentityContext, 'userAdmin' | 'requestKeys'>;

/** optix.identity.v1.IdentityService/CreateUser */
export function createUser(context: Context): MethodImpl<typeof IdentityService.method.createUser> {
  return async (request, call) => {
    const creation = creationOf(context, request, call);
    if (creation.roles.includes('admin')) requireScope(call, 'users.admin', 'to give the role admin');
    return { user: userMessage(await create(context.userAdmin, creation, call.signal)) };
  };
}

function creationOf(context: Context, request: CreateUserRequest, call: HandlerContext): UserCreation {
  const fields = new Fields();
  const creation = {
    email: fields.take('email', parseEmail(request.email)),
    password: request.password === '' ? null : request.password,
    firstName: fields.take('first_name', parsePersonName(request.firstName)),
    lastName: fields.take('last_name', parsePersonName(request.lastName)),
    phone: request.phone === '' ? null : fields.take('phone', parsePhone(request.phone)),
    roles: request.roles.length === 0 ? (['user'] as const) : fields.take('roles', parseRoles(request.roles)),
    emailVerified: request.emailVerified,
    origin: takeOrigin(fields, call, { actor: request.actor }),
  };
  fields.check();
  return { ...creation, requestKey: requestKeyOf(context, call, CreateUserRequestSchema, request) };
}
