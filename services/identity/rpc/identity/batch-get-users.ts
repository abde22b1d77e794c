import type { MethodImpl } from '@connectrpc/connect';
import type { IdentityService } from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { batchGetUsers as readUsers } from '../../domain/users/batch-get-users.ts';
import { Fields } from '../fields.ts';
import { userMessage } from '../user-message.ts';
import { parseUuid } from './user-fields.ts';

const MAX_IDS = 1_000;

/** optix.identity.v1.IdentityService/BatchGetUsers */
export function batchGetUsers({
  users,
}: Pick<IdentityContext, 'users'>): MethodImpl<typeof IdentityService.method.batchGetUsers> {
  return async ({ ids: texts, showDeleted, allowMissing }) => {
    const fields = new Fields();
    if (texts.length === 0) fields.add('ids', 'must not be empty');
    if (texts.length > MAX_IDS) fields.add('ids', `must have at most ${MAX_IDS} entries`);
    const ids = texts.slice(0, MAX_IDS).map((text, index) => fields.take(`ids[${index}]`, parseUuid(text)));
    fields.check();
    const found = await readUsers(users, { ids, showDeleted, allowMissing });
    return { users: found.map(userMessage) };
  };
}
