import { ReactivateUserResponseSchema } from '../../../gen/optix/identity/v1/identity_service_pb.ts';
import { changeUser } from './change-user.ts';

/** `optix users reactivate`: lets a user in again. */
export const reactivateUser = changeUser({
  name: 'reactivate',
  what: 'Lets a suspended or inactive user in again.',
  examples: `  optix users reactivate ada@example.com --actor ops`,
  schema: ReactivateUserResponseSchema,
  ask: (users, said) => users.reactivateUser(said),
});
