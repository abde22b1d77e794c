import { type Action, chooseAction } from './choose-action.ts';
import { createUser } from './users/create.ts';
import { deleteUser } from './users/delete.ts';
import { exportUsers } from './users/export.ts';
import { getUser } from './users/get.ts';
import { importUsers } from './users/import.ts';
import { listUsers } from './users/list.ts';
import { purgeUser } from './users/purge.ts';
import { reactivateUser } from './users/reactivate.ts';
import { resetSecondFactors } from './users/reset-factors.ts';
import { updateUserRoles } from './users/roles.ts';
import { suspendUser } from './users/suspend.ts';
import { undeleteUser } from './users/undelete.ts';
import { unlockUser } from './users/unlock.ts';
import { updateUser } from './users/update.ts';
import { sendEmailVerification } from './users/verify-email.ts';

const HELP = `Usage: optix users <action> [options]

  list                  show users
  get <user>            show one
  create                add one
  update <user>         change name, phone number or address
  roles <user>          replace roles
  suspend <user>        shut one out
  reactivate <user>     let one in again
  unlock <user>         end a lockout
  reset-factors <user>  remove the second factors of somebody who lost them
  verify-email <user>   mail the token for the address once more
  delete <user>         delete one softly
  undelete <id>         restore a deleted one
  purge <id>            erase a deleted one for good
  import <file>         add those of another system, with their password hashes
  export                stream all, as JSON lines

Each action has a --help of its own.

  optix users list --prefix ada
  optix users suspend ada@example.com --actor ops --reason "a stolen laptop"`;

const ACTIONS: Readonly<Record<string, Action>> = {
  list: listUsers,
  get: getUser,
  create: createUser,
  update: updateUser,
  roles: updateUserRoles,
  suspend: suspendUser,
  reactivate: reactivateUser,
  unlock: unlockUser,
  'reset-factors': resetSecondFactors,
  'verify-email': sendEmailVerification,
  delete: deleteUser,
  undelete: undeleteUser,
  purge: purgeUser,
  import: importUsers,
  export: exportUsers,
};

/** `optix users`: looks at and changes the users of a running identity. */
export async function usersCommand(args: string[]): Promise<number> {
  return await chooseAction('users', HELP, ACTIONS, args);
}
