import type { MethodImpl } from '@connectrpc/connect';
import type { IdentityService } from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { exportUsers as stream } from '../../domain/users/export-users.ts';
import { takeOrigin } from '../change-origin.ts';
import { Fields } from '../fields.ts';
import { userMessage } from '../user-message.ts';
import { takeUserFilter } from './user-filter.ts';

/** optix.identity.v1.IdentityService/ExportUsers */
export function exportUsers({
  userAdmin,
  directory,
}: Pick<IdentityContext, 'userAdmin' | 'directory'>): MethodImpl<typeof IdentityService.method.exportUsers> {
  return async function* ({ filter: message, showDeleted }, call) {
    const fields = new Fields();
    const filter = takeUserFilter(fields, message, showDeleted);
    const origin = takeOrigin(fields, call);
    fields.check();
    const { unitOfWork, now } = userAdmin;
    for await (const users of stream({ unitOfWork, now, directory }, filter, origin)) {
      call.signal.throwIfAborted();
      yield { users: users.map(userMessage) };
    }
  };
}
