import { randomUUID } from 'node:crypto';
import {
  RevokeSessionResponseSchema,
  RevokeUserSessionsResponseSchema,
  SessionService,
} from '../../../gen/optix/identity/v1/session_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { CONNECTION_FLAGS, callService } from '../call-service.ts';
import { IDENTITY_ADDRESS, IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { userIdOf } from '../user-id.ts';
import { sessionTable } from './session-table.ts';

const HELP = `Usage: optix sessions revoke <session> [options]
       optix sessions revoke --user <id or e-mail> [--except <session>] [options]

Ends a session, or all of a user. From then on no replica takes their tokens.

  --user U              all of this user's sessions
  --except S            but this one
  --actor A, --reason R for the audit log
${IDENTITY_FLAGS_HELP}

  optix sessions revoke 0192f0c1-3b5e-7a00-8000-000000000001 --actor ops --reason "lost laptop"
  optix sessions revoke --user ada@example.com --actor ops`;

const TEXT = { type: 'string' } as const;

/** `optix sessions revoke`: ends a session, or all of a user. */
export async function revokeSessions(args: string[]): Promise<number> {
  const ofUser = args.some((arg) => /^--user(=|$)/.test(arg));
  const positionals = ofUser ? [] : ['session'];
  const options = { ...CONNECTION_FLAGS, user: TEXT, except: TEXT, actor: TEXT, reason: TEXT } as const;
  const read = readArguments({ name: 'sessions revoke', help: HELP, options, positionals }, args);
  if (read === undefined) return EXIT.DONE;
  const {
    values: flags,
    positionals: [id = ''],
  } = read;
  const said = { actor: flags.actor ?? '', reason: flags.reason ?? '', requestId: randomUUID() };
  if (flags.user === undefined) {
    const answer = await callService(SessionService, IDENTITY_ADDRESS, flags, (client) =>
      client.revokeSession({ id, ...said }),
    );
    if (flags.json) printJson(messageJson(RevokeSessionResponseSchema, answer));
    else if (answer.session !== undefined) console.log(sessionTable([answer.session]));
    return EXIT.DONE;
  }
  const userId = await userIdOf(flags.user, flags);
  const answer = await callService(SessionService, IDENTITY_ADDRESS, flags, (client) =>
    client.revokeUserSessions({ userId, exceptSessionId: flags.except ?? '', ...said }),
  );
  if (flags.json) printJson(messageJson(RevokeUserSessionsResponseSchema, answer));
  else console.log(`sessions that ended: ${answer.revokedCount}`);
  return EXIT.DONE;
}
