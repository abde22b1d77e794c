import { UnlockUserResponseSchema } from '../../../gen/optix/identity/v1/identity_service_pb.ts';
import { changeUser } from './change-user.ts';

/** `optix users unlock`: ends a lockout. */
export const unlockUser = changeUser({
  name: 'unlock',
  what: 'Ends the lockout that wrong passwords brought about.',
  examples: `  optix users unlock ada@example.com --actor ops --reason "called, and is who she says"`,
  schema: UnlockUserResponseSchema,
  ask: (users, said) => users.unlockUser(said),
});
