import { UndeleteUserResponseSchema } from '../../../gen/optix/identity/v1/identity_service_pb.ts';
import { changeUser } from './change-user.ts';

/** `optix users undelete`: restores a deleted user. */
export const undeleteUser = changeUser({
  name: 'undelete',
  what: 'Restores a deleted user with the status from before. A deleted user is found by id only.',
  examples: `  optix users undelete 0192f0c1-3b5e-7a00-8000-000000000001 --actor ops`,
  schema: UndeleteUserResponseSchema,
  ask: (users, said) => users.undeleteUser(said),
});
