import { chooseAction } from './choose-action.ts';
import { listEvents } from './events/list.ts';
import { resolveEvent } from './events/resolve.ts';
import { tailEvents } from './events/tail.ts';
import { verifyEvents } from './events/verify.ts';

const HELP = `Usage: optix events list [options]
       optix events tail [options]
       optix events verify [--anchor <sequence>:<hash>]... [options]
       optix events resolve <id> --by <who> [--note <text>] [options]

Reads, follows and checks the audit log of a running identity. More by optix events list --help and so on.`;

/** `optix events`: reads, follows and checks the audit log. */
export async function eventsCommand(args: string[]): Promise<number> {
  const actions = { list: listEvents, tail: tailEvents, verify: verifyEvents, resolve: resolveEvent };
  return await chooseAction('events', HELP, actions, args);
}
