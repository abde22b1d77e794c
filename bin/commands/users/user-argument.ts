import { UsageError } from '../../usage.ts';
import type { ConnectionFlags } from '../call-service.ts';
import { userIdOf } from '../user-id.ts';

/** What the help of each command says that takes a user. */
export const USER_HELP = `<user> is an id, or an e-mail address, which needs the scope users.read too; --id ID is the same.`;

/** What stands for a user on the command line. */
export interface UserArgument {
  readonly positional: string | undefined;
  readonly id: string | undefined;
}

/**
 * The id of the user whom a command is about.
 *
 * @throws UsageError where there is none, or two; Error with the service's refusal of an e-mail address
 */
export async function readUser(
  command: string,
  { positional, id }: UserArgument,
  flags: ConnectionFlags,
): Promise<string> {
  if (positional !== undefined && id !== undefined) {
    throw new UsageError(`${command}: <user> or --id, not both`);
  }
  const user = positional ?? id;
  if (!user) throw new UsageError(`${command}: <user> must be given; see optix ${command} --help`);
  return await userIdOf(user, flags);
}
