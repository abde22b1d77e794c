import { SuspendUserResponseSchema } from '../../../gen/optix/identity/v1/identity_service_pb.ts';
import { changeUser } from './change-user.ts';

/** `optix users suspend`: shuts a user out. */
export const suspendUser = changeUser({
  name: 'suspend',
  what: 'Shuts a user out and ends all sessions, until somebody lets the user in again.',
  examples: `  optix users suspend ada@example.com --actor ops --reason "a stolen laptop"`,
  schema: SuspendUserResponseSchema,
  ask: (users, said) => users.suspendUser(said),
});
