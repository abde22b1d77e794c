import { DeleteUserResponseSchema } from '../../../gen/optix/identity/v1/identity_service_pb.ts';
import { changeUser } from './change-user.ts';

/** `optix users delete`: deletes a user softly. */
export const deleteUser = changeUser({
  name: 'delete',
  what: 'Deletes a user softly: kept, but shut out, with all sessions ended. optix users undelete restores, purge erases.',
  examples: `  optix users delete ada@example.com --actor ops --reason "asked for it"`,
  schema: DeleteUserResponseSchema,
  ask: (users, said) => users.deleteUser(said),
});
