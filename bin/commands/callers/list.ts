import { create } from '@bufbuild/protobuf';
import {
  type CallerKey,
  ListCallerKeysResponseSchema,
} from '../../../gen/optix/callers/v1/caller_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { CALLERS_HELP, CONNECTION_FLAGS, withCallerService } from './connect.ts';
import { keyTable } from './key-table.ts';

const HELP = `Usage: optix callers list --service <name> [options]

Shows the API keys that were made while the service ran, also those that ended in the last 30 days. Those of its settings
and of CALLERS_FILE are no part of them.

${CALLERS_HELP}

  optix callers list --service ratelimit
  optix callers list --service identity --json | jq '.callerKeys[] | select(.lastUseTime == null)'`;

/** `optix callers list`: the keys. */
export async function listCallerKeysCommand(args: string[]): Promise<number> {
  const read = readArguments({ name: 'callers list', help: HELP, options: CONNECTION_FLAGS }, args);
  if (read === undefined) return EXIT.DONE;
  const { json, ...connection } = read.values;
  const callerKeys: CallerKey[] = [];
  await withCallerService(connection, async (client) => {
    let pageToken = '';
    do {
      const page = await client.listCallerKeys({ pageToken });
      callerKeys.push(...page.callerKeys);
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
  });
  const all = create(ListCallerKeysResponseSchema, { callerKeys });
  if (json) printJson(messageJson(ListCallerKeysResponseSchema, all));
  else console.log(callerKeys.length === 0 ? 'no keys' : keyTable(callerKeys));
  return EXIT.DONE;
}
