import type { MethodImpl } from '@connectrpc/connect';
import type {
  GetUserRequest,
  IdentityService,
} from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import { InvalidRequest } from '../../../../runtime/errors.ts';
import type { IdentityContext } from '../../context.ts';
import { parseEmail } from '../../domain/email.ts';
import { UserNotFound } from '../../domain/errors.ts';
import { getUser as readUser } from '../../domain/get-user.ts';
import type { UserReads } from '../../domain/reads.ts';
import type { User } from '../../domain/user.ts';
import { userMessage } from '../user-message.ts';
import { parseUuid } from './user-fields.ts';

/** optix.identity.v1.IdentityService/GetUser */
export function getUser({
  users,
}: Pick<IdentityContext, 'users'>): MethodImpl<typeof IdentityService.method.getUser> {
  return async (request) => ({ user: userMessage(await read(users, request)) });
}

async function read(users: UserReads, { id, email, showDeleted }: GetUserRequest): Promise<User> {
  if ((id === '') === (email === '')) throw invalid('id', 'or email must be set, and not both');
  if (email === '') {
    const parsed = parseUuid(id);
    if (!parsed.ok) throw invalid('id', parsed.reason);
    return await readUser(users, parsed.value, showDeleted);
  }
  if (showDeleted) throw invalid('show_deleted', 'must not be set with email');
  const parsed = parseEmail(email);
  if (!parsed.ok) throw invalid('email', parsed.reason);
  const user = await users.findByEmail(parsed.value.normalized);
  if (user === null) throw new UserNotFound();
  return user;
}

function invalid(field: string, description: string): InvalidRequest {
  return new InvalidRequest([{ field, description }]);
}
