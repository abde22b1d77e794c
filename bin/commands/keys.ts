import { chooseAction } from './choose-action.ts';
import { listKeys } from './keys/list.ts';
import { revokeKey } from './keys/revoke.ts';
import { rotateKeys } from './keys/rotate.ts';

const HELP = `Usage: optix keys list [options]
       optix keys rotate [--force] [options]
       optix keys revoke <kid> [options]

Shows and rotates the keys that a running identity signs access tokens with. More by optix keys list --help and so on.`;

/** `optix keys`: shows and rotates the keys that access tokens are signed with. */
export async function keysCommand(args: string[]): Promise<number> {
  return await chooseAction('keys', HELP, { list: listKeys, rotate: rotateKeys, revoke: revokeKey }, args);
}
