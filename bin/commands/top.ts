import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ListTopLimitedResponse,
  ListTopLimitedResponseSchema,
  TopLimitedOrder,
} from '../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { EXIT } from '../output/exit-code.ts';
import { messageJson, printJson, printJsonLine } from '../output/message-json.ts';
import { readArguments } from '../output/read-arguments.ts';
import { tableText } from '../output/table.ts';
import { timeText } from '../output/time-text.ts';
import { untilStopped } from '../output/until-stopped.ts';
import { UsageError } from '../usage.ts';
import { CONNECTION_FLAGS } from './call-service.ts';
import { RATE_LIMIT_CONNECTION_HELP, withLimiterAdmin } from './rate-limit-connection.ts';

const EVERY_MS = 2_000;
const CLEAR = '\x1b[H\x1b[2J';

const HELP = `Usage: optix top [options]

Shows which keys were denied most of late, over all replicas, or were checked most.

  --denied            by denied checks (the default)
  --checked           by checks, allowed and denied
  --endpoint NAME     only this endpoint
  --count N           at most so many, 1 to 1000 (20)
  --watch             show it again every 2 seconds, until Ctrl-C
  --json              print JSON; with --watch one document a line
${RATE_LIMIT_CONNECTION_HELP}

  optix top
  optix top --checked --endpoint orders --watch
  optix top --json | jq -r '.entries[].identifier'`;

const OPTIONS = {
  ...CONNECTION_FLAGS,
  denied: { type: 'boolean' },
  checked: { type: 'boolean' },
  endpoint: { type: 'string' },
  count: { type: 'string' },
  watch: { type: 'boolean' },
} as const;

/** `optix top`: the keys that are limited most. */
export async function topCommand(args: string[]): Promise<number> {
  const given = readArguments({ name: 'top', help: HELP, options: OPTIONS }, args);
  if (given === undefined) return EXIT.DONE;
  const { denied, checked, endpoint = '', count, watch, json, ...connection } = given.values;
  if (denied && checked) throw new UsageError('top: --denied or --checked, not both');
  const order = checked ? TopLimitedOrder.CHECKED : TopLimitedOrder.DENIED;
  const request = { order, endpoint, pageSize: countOf(count) };
  const print = (top: ListTopLimitedResponse) => {
    const document = () => messageJson(ListTopLimitedResponseSchema, top);
    if (json) (watch ? printJsonLine : printJson)(document());
    else console.log(`${watch && process.stdout.isTTY ? CLEAR : ''}${topText(top, checked === true)}`);
  };
  await withLimiterAdmin(connection, async (admin) => {
    if (!watch) return print(await admin.listTopLimited(request));
    const signal = untilStopped();
    try {
      for (;;) {
        print(await admin.listTopLimited(request, { signal }));
        await sleep(EVERY_MS, undefined, { signal });
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  });
  return EXIT.DONE;
}

function countOf(text = '20'): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (count >= 1 && count <= 1000) return count;
  throw new UsageError(`top: --count ${text} is no number from 1 to 1000`);
}

function topText({ entries, sinceTime, replicas }: ListTopLimitedResponse, isChecked: boolean): string {
  const what = isChecked ? 'checked' : 'denied';
  const of = `${replicas} ${replicas === 1 ? 'replica' : 'replicas'}, since ${timeText(sinceTime)}`;
  if (entries.length === 0) return `nothing was ${what} (${of})`;
  const rows = entries.map(({ endpoint, identifier, count, error }) => {
    return [endpoint, identifier, String(count), error === 0n ? '' : String(error)];
  });
  return `${of}\n${tableText(['endpoint', 'identifier', what, 'too high by at most'], rows)}`;
}
