import type { MessageInitShape } from '@bufbuild/protobuf';
import type { UserFilterSchema } from '../../../gen/optix/identity/v1/identity_service_pb.ts';
import { UserStatus } from '../../../gen/optix/identity/v1/user_pb.ts';
import { UsageError } from '../../usage.ts';
import { pointInTime } from '../events/point-in-time.ts';

const STATUSES: ReadonlyMap<string, UserStatus> = new Map([
  ['active', UserStatus.ACTIVE],
  ['inactive', UserStatus.INACTIVE],
  ['suspended', UserStatus.SUSPENDED],
  ['deleted', UserStatus.DELETED],
]);
const TEXT = { type: 'string' } as const;

/** Flags of the commands that choose among users. */
export const FILTER_OPTIONS = {
  prefix: TEXT,
  status: TEXT,
  roles: TEXT,
  since: TEXT,
  until: TEXT,
  deleted: { type: 'boolean' },
} as const;

export const FILTER_HELP = `  --prefix TEXT         e-mail address, first or last name begins so
  --status A,B          active, inactive, suspended or deleted
  --roles A,B           with one of these roles
  --since T             created from 2026-01-31T12:00:00Z on, or from 24h ago (s, m, h, d)
  --until T             created before
  --deleted             deleted ones too`;

export interface FilterFlags {
  readonly prefix?: string | undefined;
  readonly status?: string | undefined;
  readonly roles?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

/** The users that the flags choose. @throws UsageError */
export function userFilter(command: string, flags: FilterFlags): MessageInitShape<typeof UserFilterSchema> {
  const createdFrom = pointInTime(`${command}: --since`, flags.since);
  const createdBefore = pointInTime(`${command}: --until`, flags.until);
  return {
    prefix: flags.prefix ?? '',
    roles: words(flags.roles),
    statuses: words(flags.status).map((text) => statusOf(command, text)),
    ...(createdFrom !== undefined && { createdFrom }),
    ...(createdBefore !== undefined && { createdBefore }),
  };
}

/** What stands between commas. */
export function words(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

function statusOf(command: string, text: string): UserStatus {
  const status = STATUSES.get(text);
  if (status !== undefined) return status;
  throw new UsageError(`${command}: --status "${text}" is none of ${[...STATUSES.keys()].join(', ')}`);
}
