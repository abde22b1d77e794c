import type { Timestamp } from '@bufbuild/protobuf/wkt';
import type { UserFilter as FilterMessage } from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import { UserStatus } from '../../../../gen/optix/identity/v1/user_pb.ts';
import { accepted, type Parsed, rejected } from '../../domain/parsed.ts';
import type { UserStatus as Status } from '../../domain/user.ts';
import type { UserFilter } from '../../domain/users/user-directory.ts';
import type { Fields } from '../fields.ts';
import { parseRoles, parseTimestamp } from './user-fields.ts';

const STATUSES: ReadonlyMap<UserStatus, Status> = new Map([
  [UserStatus.ACTIVE, 'active'],
  [UserStatus.INACTIVE, 'inactive'],
  [UserStatus.SUSPENDED, 'suspended'],
  [UserStatus.DELETED, 'deleted'],
]);
const MAX_PREFIX_CHARACTERS = 100;
/** In UTF-16 units: normalising a longer run of combining marks would take time that grows with its square. */
const MAX_RAW_PREFIX = 8 * MAX_PREFIX_CHARACTERS;
const FORBIDDEN = /[\p{Cc}\p{Cs}]/u;

/** Which users a request is about; all that are not deleted where it has no filter. */
export function takeUserFilter(
  fields: Fields,
  message: FilterMessage | undefined,
  showDeleted: boolean,
): UserFilter {
  return {
    statuses: fields.take('filter.statuses', parseStatuses(message?.statuses ?? [])),
    showDeleted,
    roles: fields.take('filter.roles', parseRoles(message?.roles ?? [])),
    emailVerified: message?.emailVerified ?? null,
    mfaEnabled: message?.mfaEnabled ?? null,
    createdFrom: takeMoment(fields, 'filter.created_from', message?.createdFrom),
    createdBefore: takeMoment(fields, 'filter.created_before', message?.createdBefore),
    prefix: message?.prefix ? fields.take('filter.prefix', parsePrefix(message.prefix)) : null,
  };
}

function parseStatuses(numbers: readonly UserStatus[]): Parsed<readonly Status[]> {
  const statuses = new Set<Status>();
  for (const number of numbers) {
    const status = STATUSES.get(number);
    if (status === undefined) return rejected('must be statuses of a user');
    statuses.add(status);
  }
  return accepted([...statuses]);
}

function takeMoment(fields: Fields, field: string, moment: Timestamp | undefined): Date | null {
  return moment === undefined ? null : fields.take(field, parseTimestamp(moment));
}

function parsePrefix(text: string): Parsed<string> {
  if (FORBIDDEN.test(text)) return rejected('must not contain control characters');
  if (text.length > MAX_RAW_PREFIX || [...text.normalize('NFC')].length > MAX_PREFIX_CHARACTERS) {
    return rejected(`must have at most ${MAX_PREFIX_CHARACTERS} characters`);
  }
  return accepted(text);
}
