import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  ListSecurityEventsResponseSchema,
  type SecurityEvent,
  type SecurityEventFilterSchema,
  SecurityEventService,
} from '../../../gen/optix/identity/v1/security_event_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { UsageError } from '../../usage.ts';
import { CONNECTION_FLAGS, callService } from '../call-service.ts';
import { IDENTITY_ADDRESS, IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { userIdOf } from '../user-id.ts';
import { eventTable } from './event-table.ts';
import { pointInTime } from './point-in-time.ts';
import { minSeverity } from './severity.ts';

const HELP = `Usage: optix events list [options]

Shows the audit log, newest first. What is given must all hold.

  --user U              about this user (id or e-mail; an address needs the scope users.read too)
  --session S           of this session
  --type A,B            of one of these types
  --min-severity S      info, low, medium, high or critical, and worse
  --since T             from 2026-01-31T12:00:00Z on, or from 24h ago (s, m, h, d)
  --until T             before
  --unresolved          high and critical ones that nobody has resolved
  --limit N             so many at most, 1 to 100000 (100)
${IDENTITY_FLAGS_HELP}

  optix events list --since 1h --min-severity medium
  optix events list --user ada@example.com --type login_failed,login_succeeded --json
  optix events list --unresolved`;

/** Events a call, at most. */
const PAGE_SIZE = 1000;
const TEXT = { type: 'string' } as const;
const OPTIONS = {
  ...CONNECTION_FLAGS,
  user: TEXT,
  session: TEXT,
  type: TEXT,
  'min-severity': TEXT,
  since: TEXT,
  until: TEXT,
  unresolved: { type: 'boolean' },
  limit: TEXT,
} as const;

/** `optix events list`: the audit log, newest first. */
export async function listEvents(args: string[]): Promise<number> {
  const read = readArguments({ name: 'events list', help: HELP, options: OPTIONS }, args);
  if (read === undefined) return EXIT.DONE;
  const { values: flags } = read;
  const limit = limitOf(flags.limit);
  const startTime = pointInTime('events list: --since', flags.since);
  const endTime = pointInTime('events list: --until', flags.until);
  const filter: MessageInitShape<typeof SecurityEventFilterSchema> = {
    types: (flags.type ?? '').split(',').filter((type) => type !== ''),
    minSeverity: minSeverity('events list', flags['min-severity']),
    sessionId: flags.session ?? '',
    unresolved: flags.unresolved ?? false,
    ...(startTime !== undefined && { startTime }),
    ...(endTime !== undefined && { endTime }),
  };
  if (flags.user !== undefined) filter.userId = await userIdOf(flags.user, flags);
  const events: SecurityEvent[] = [];
  let pageToken = '';
  await callService(SecurityEventService, IDENTITY_ADDRESS, flags, async (client) => {
    do {
      const pageSize = Math.min(PAGE_SIZE, limit - events.length);
      const page = await client.listSecurityEvents({ filter, pageSize, pageToken });
      events.push(...page.events);
      pageToken = page.nextPageToken;
    } while (pageToken !== '' && events.length < limit);
  });
  if (flags.json) {
    const all = create(ListSecurityEventsResponseSchema, { events, nextPageToken: pageToken });
    printJson(messageJson(ListSecurityEventsResponseSchema, all));
  } else if (events.length === 0) {
    // A type is any text to the service: a misspelt one must not look like a log that has nothing.
    console.log(flags.type === undefined ? 'no events' : `no events of ${flags.type} (types: docs/audit.md)`);
  } else console.log(eventTable(events));
  if (pageToken !== '') console.error(`there may be more than these ${events.length}: --limit, --until`);
  return EXIT.DONE;
}

function limitOf(text = '100'): number {
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (limit >= 1 && limit <= 100_000) return limit;
  throw new UsageError(`events list: --limit must be a number from 1 to 100000, not "${text}"`);
}
