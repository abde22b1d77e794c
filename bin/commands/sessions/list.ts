import { create } from '@bufbuild/protobuf';
import type { Session } from '../../../gen/optix/identity/v1/session_pb.ts';
import {
  ListSessionsResponseSchema,
  SessionService,
} from '../../../gen/optix/identity/v1/session_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { UsageError } from '../../usage.ts';
import { CONNECTION_FLAGS, callService } from '../call-service.ts';
import { IDENTITY_ADDRESS, IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { userIdOf } from '../user-id.ts';
import { sessionTable } from './session-table.ts';

const HELP = `Usage: optix sessions list --user <id or e-mail> [options]

Shows a user's sessions, newest first. An e-mail address needs the scope users.read too.

  --user U              whose
  --ended               those that have ended too
${IDENTITY_FLAGS_HELP}

  optix sessions list --user ada@example.com
  optix sessions list --user 0192f0c1-3b5e-7a00-8000-000000000001 --ended --json`;

/** Sessions a call. */
const PAGE_SIZE = 1000;

/** `optix sessions list`: a user's sessions. */
export async function listSessions(args: string[]): Promise<number> {
  const options = { ...CONNECTION_FLAGS, user: { type: 'string' }, ended: { type: 'boolean' } } as const;
  const read = readArguments({ name: 'sessions list', help: HELP, options }, args);
  if (read === undefined) return EXIT.DONE;
  const { values: flags } = read;
  if (flags.user === undefined) throw new UsageError('sessions list: --user must be given');
  const request = {
    userId: await userIdOf(flags.user, flags),
    showEnded: flags.ended ?? false,
    pageSize: PAGE_SIZE,
  };
  const sessions: Session[] = [];
  await callService(SessionService, IDENTITY_ADDRESS, flags, async (client) => {
    let pageToken = '';
    do {
      const page = await client.listSessions({ ...request, pageToken });
      sessions.push(...page.sessions);
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
  });
  if (flags.json)
    printJson(messageJson(ListSessionsResponseSchema, create(ListSessionsResponseSchema, { sessions })));
  else if (sessions.length === 0) console.log('no sessions');
  else console.log(sessionTable(sessions));
  return EXIT.DONE;
}
