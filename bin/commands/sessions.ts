import { chooseAction } from './choose-action.ts';
import { listSessions } from './sessions/list.ts';
import { revokeSessions } from './sessions/revoke.ts';

const HELP = `Usage: optix sessions list --user <id or e-mail> [options]
       optix sessions revoke <session> [options]
       optix sessions revoke --user <id or e-mail> [options]

Shows and ends the sessions of a running identity. More by optix sessions list --help and so on.`;

/** `optix sessions`: shows and ends the sessions of a running identity. */
export async function sessionsCommand(args: string[]): Promise<number> {
  return await chooseAction('sessions', HELP, { list: listSessions, revoke: revokeSessions }, args);
}
