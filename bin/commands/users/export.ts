import { once } from 'node:events';
import { UserSchema } from '../../../gen/optix/identity/v1/user_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson } from '../../output/message-json.ts';
import { printableJson } from '../../output/printable.ts';
import { openProgress } from '../../output/progress.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { CONNECTION_FLAGS } from '../call-service.ts';
import { IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { FILTER_HELP, FILTER_OPTIONS, userFilter } from './user-filter.ts';
import { withUsers } from './with-users.ts';

const HELP = `Usage: optix users export [options]

Prints all users, or those that are asked for, as JSON lines, each a User (docs/api): a consistent picture of the moment it
began. Passwords and other secrets are no part of it. Ends with 1 where not all came: what was printed is not whole then.
Scope: users.admin.

${FILTER_HELP}
${IDENTITY_FLAGS_HELP}

  optix users export > users.jsonl
  optix users export --roles admin | jq -r .email`;

/** `optix users export`: all users, as JSON lines. */
export async function exportUsers(args: string[]): Promise<number> {
  const options = { ...CONNECTION_FLAGS, ...FILTER_OPTIONS } as const;
  const read = readArguments({ name: 'users export', help: HELP, options }, args);
  if (read === undefined) return EXIT.DONE;
  const { values: flags } = read;
  const request = { filter: userFilter('users export', flags), showDeleted: flags.deleted ?? false };
  // Nobody reads on: `optix users export | head`.
  const unread = new AbortController();
  process.stdout.on('error', () => unread.abort());
  using progress = openProgress(process.stderr);
  let count = 0;
  try {
    await withUsers(flags, async (client) => {
      for await (const { users } of client.exportUsers(request, { signal: unread.signal })) {
        const lines = users.map(
          (user) => `${printableJson(JSON.stringify(messageJson(UserSchema, user)))}\n`,
        );
        await write(lines.join(''), unread.signal);
        count += users.length;
        // Both would stand on one terminal.
        if (!process.stdout.isTTY) progress.show({ count, what: 'users' });
      }
    });
  } catch (error) {
    if (!unread.signal.aborted) throw error;
  }
  return EXIT.DONE;
}

/** Waits for a slow reader instead of holding all users in memory. */
async function write(text: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (!process.stdout.write(text)) await once(process.stdout, 'drain', { signal });
}
