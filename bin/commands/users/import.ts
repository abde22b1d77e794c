import {
  type ImportUsersResponse,
  ImportUsersResponseSchema,
} from '../../../gen/optix/identity/v1/identity_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { openProgress } from '../../output/progress.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { tableText } from '../../output/table.ts';
import { CONNECTION_FLAGS, type ConnectionFlags } from '../call-service.ts';
import { IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { type ImportLines, openImportLines } from './import-lines.ts';
import { withUsers } from './with-users.ts';

const HELP = `Usage: optix users import <file> [options]

Adds users of another system with the password hashes they have there (argon2, scrypt, bcrypt, PBKDF2). Each line of the file
is an ImportUsersRequest as JSON (docs/api): email, passwordHash, firstName, lastName, phone, roles, emailVerified,
createTime, status. - reads standard input. Each user is added or refused by itself; ends with 0 where all were added,
with 3 where some were refused: they are shown with their lines, the first 1000. Users before a mistake in the file may
have been added: the same import again refuses those and adds the others. Scope: users.admin.

${IDENTITY_FLAGS_HELP}

  optix users import users.jsonl
  zcat users.jsonl.gz | optix users import - --json > outcome.json`;

/** `optix users import`: adds users of another system. */
export async function importUsers(args: string[]): Promise<number> {
  const form = { name: 'users import', help: HELP, options: CONNECTION_FLAGS, positionals: ['file'] };
  const read = readArguments(form, args);
  if (read === undefined) return EXIT.DONE;
  const {
    values: { json, ...connection },
    positionals: [path = ''],
  } = read;
  const lines = await openImportLines(path);
  const outcome = await send(lines, connection);
  if (json) printJson(messageJson(ImportUsersResponseSchema, outcome));
  else console.log(outcomeText(outcome, lines));
  return outcome.failedCount === 0n ? EXIT.DONE : EXIT.NO;
}

async function send(lines: ImportLines, connection: ConnectionFlags): Promise<ImportUsersResponse> {
  using progress = openProgress(process.stderr);
  async function* shown() {
    for await (const user of lines) {
      progress.show(lines);
      yield user;
    }
  }
  try {
    // It takes as long as the file is long.
    return await withUsers(connection, (users) => users.importUsers(shown(), { timeoutMs: 0 }));
  } catch (error) {
    // The call fails by CANCELED then, which tells nothing.
    throw lines.mistake ?? error;
  }
}

function outcomeText(
  { importedCount, failedCount, failures }: ImportUsersResponse,
  lines: ImportLines,
): string {
  const counts = `added: ${importedCount}, refused: ${failedCount}`;
  if (failures.length === 0) return counts;
  const rows = failures.map(({ index, reason, description }) => {
    return [String(lines.lineOf(Number(index))), reason.toLowerCase(), description];
  });
  return `${tableText(['line', 'reason', 'description'], rows)}\n${counts}`;
}
