import {
  SecurityEventService,
  WatchSecurityEventsResponseSchema,
} from '../../../gen/optix/identity/v1/security_event_service_pb.ts';
import { watchInterruption } from '../../interruption.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJsonLine } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { UsageError } from '../../usage.ts';
import { CONNECTION_FLAGS, callService } from '../call-service.ts';
import { IDENTITY_ADDRESS, IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { eventLine } from './event-table.ts';
import { minSeverity } from './severity.ts';

const HELP = `Usage: optix events tail [options]

Follows the audit log in the order of its chain, until Ctrl-C. At its end it tells the cursor to go on from, on standard
error: from there no event is missed and none comes twice.

  --cursor C            go on where an earlier tail ended
  --from-beginning      all that is kept, then what comes
  --type A,B            of one of these types
  --min-severity S      info, low, medium, high or critical, and worse
${IDENTITY_FLAGS_HELP}
With --json each line is a message of WatchSecurityEvents: events, and the cursor behind them.

  optix events tail
  optix events tail --min-severity high --json
  optix events tail --cursor MTIuNWQ0MTQwMmFiYzRiMmE3NmI5NzE5ZDkxMTAxN2M1OTI`;

const TEXT = { type: 'string' } as const;
const OPTIONS = {
  ...CONNECTION_FLAGS,
  cursor: TEXT,
  'from-beginning': { type: 'boolean' },
  type: TEXT,
  'min-severity': TEXT,
} as const;

/** `optix events tail`: follows the audit log. */
export async function tailEvents(args: string[]): Promise<number> {
  const read = readArguments({ name: 'events tail', help: HELP, options: OPTIONS }, args);
  if (read === undefined) return EXIT.DONE;
  const { values: flags } = read;
  if (flags.cursor !== undefined && flags['from-beginning']) {
    throw new UsageError('events tail: --cursor or --from-beginning, not both');
  }
  const request = {
    cursor: flags.cursor ?? '',
    fromBeginning: flags['from-beginning'] ?? false,
    types: (flags.type ?? '').split(',').filter((type) => type !== ''),
    minSeverity: minSeverity('events tail', flags['min-severity']),
  };
  const stop = new AbortController();
  // Nobody reads on: `optix events tail | head`.
  process.stdout.on('error', () => stop.abort());
  const { signal: interrupted } = watchInterruption(() => process.exit(EXIT.FAILURE));
  const signal = AbortSignal.any([interrupted, stop.signal]);
  let { cursor } = request;
  try {
    await callService(SecurityEventService, IDENTITY_ADDRESS, flags, async (client) => {
      for await (const message of client.watchSecurityEvents(request, { signal })) {
        if (message.events.length > 0 && flags.json) {
          printJsonLine(messageJson(WatchSecurityEventsResponseSchema, message));
        } else for (const event of message.events) console.log(eventLine(event));
        cursor = message.cursor;
      }
    });
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    if (cursor !== '') console.error(`to go on: --cursor ${cursor}`);
  }
  return EXIT.DONE;
}
