import type { MethodImpl } from '@connectrpc/connect';
import type {
  IdentityService,
  ImportUsersRequest,
} from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import { UserStatus } from '../../../../gen/optix/identity/v1/user_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { parseEmail } from '../../domain/email.ts';
import { accepted, type Parsed, rejected } from '../../domain/parsed.ts';
import { parsePasswordHash } from '../../domain/password-hashes/parse-password-hash.ts';
import { parsePersonName } from '../../domain/person-name.ts';
import { parsePhone } from '../../domain/phone.ts';
import { type ImportCandidate, importUsers as importAll } from '../../domain/users/import-users.ts';
import { takeOrigin } from '../change-origin.ts';
import { Fields } from '../fields.ts';
import { parseRoles, parseTimestamp } from './user-fields.ts';

const STATUSES: ReadonlyMap<UserStatus, ImportCandidate['status']> = new Map([
  [UserStatus.UNSPECIFIED, 'active'],
  [UserStatus.ACTIVE, 'active'],
  [UserStatus.INACTIVE, 'inactive'],
  [UserStatus.SUSPENDED, 'suspended'],
]);

/** What is before is a system's word for "never" (the year 1, 1900), and no moment that all time zones can write. */
const EARLIEST = new Date(0);

/** optix.identity.v1.IdentityService/ImportUsers */
export function importUsers({
  userAdmin,
}: Pick<IdentityContext, 'userAdmin'>): MethodImpl<typeof IdentityService.method.importUsers> {
  return async (requests, call) => {
    const candidates = candidatesOf(requests, userAdmin.now);
    const origin = takeOrigin(new Fields(), call);
    const { imported, failed, failures } = await importAll(userAdmin, candidates, origin, call.signal);
    return {
      importedCount: BigInt(imported),
      failedCount: BigInt(failed),
      failures: failures.map(({ index, ...failure }) => ({ index: BigInt(index), ...failure })),
    };
  };
}

async function* candidatesOf(
  requests: AsyncIterable<ImportUsersRequest>,
  now: () => Date,
): AsyncIterable<Parsed<ImportCandidate>> {
  for await (const request of requests) yield parseCandidate(request, now());
}

function parseCandidate(request: ImportUsersRequest, now: Date): Parsed<ImportCandidate> {
  const problems: string[] = [];
  const take = <T>(field: string, parsed: Parsed<T>): T => {
    if (parsed.ok) return parsed.value;
    problems.push(`${field} ${parsed.reason}`);
    return undefined as T;
  };
  const { passwordHash, phone, roles, createTime } = request;
  if (passwordHash !== '') take('password_hash', parsePasswordHash(passwordHash));
  const candidate: ImportCandidate = {
    email: take('email', parseEmail(request.email)),
    passwordHash: passwordHash === '' ? null : passwordHash,
    firstName: take('first_name', parsePersonName(request.firstName)),
    lastName: take('last_name', parsePersonName(request.lastName)),
    phone: phone === '' ? null : take('phone', parsePhone(phone)),
    roles: roles.length === 0 ? ['user'] : take('roles', parseRoles(roles)),
    emailVerified: request.emailVerified,
    createdAt: createTime === undefined ? null : take('create_time', parseTimestamp(createTime)),
    status: take('status', parseStatus(request.status)),
  };
  if (candidate.createdAt && (candidate.createdAt < EARLIEST || candidate.createdAt > now)) {
    problems.push('create_time must be in 1970 or later, and not in the future');
  }
  return problems.length === 0 ? accepted(candidate) : rejected(problems.join('; '));
}

function parseStatus(status: UserStatus): Parsed<ImportCandidate['status']> {
  const known = STATUSES.get(status);
  return known === undefined ? rejected('must be active, inactive or suspended') : accepted(known);
}
