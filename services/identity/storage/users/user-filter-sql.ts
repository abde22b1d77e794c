import type { UserFilter } from '../../domain/users/user-directory.ts';

/** A condition on user_service.users and the values of its placeholders. */
export interface SqlCondition {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** The last code point: no text that starts with a prefix is above the prefix with it behind. */
const LAST_CODE_POINT = 0x10ffff;

/** A filter as a condition. Each part is written as the indexes have it (user.entity.ts). */
export function userFilterSql(filter: UserFilter): SqlCondition {
  const parts: string[] = [];
  const params: unknown[] = [];
  const add = (sql: string, ...values: unknown[]): void => {
    parts.push(sql);
    params.push(...values);
  };
  if (filter.statuses.length > 0) add('status in (?)', filter.statuses);
  // Says what every status but deleted means, for the planner to know what it can leave out.
  if (filter.statuses.length > 0 ? !filter.statuses.includes('deleted') : !filter.showDeleted) {
    add('deleted_at is null');
  }
  if (filter.roles.length > 0) add('roles && ?::text[]', `{${filter.roles.join()}}`);
  if (filter.emailVerified !== null) {
    add(`email_verified_at is ${filter.emailVerified ? 'not ' : ''}null`);
  }
  if (filter.mfaEnabled !== null) add(filter.mfaEnabled ? 'mfa_enabled' : 'not mfa_enabled');
  if (filter.createdFrom !== null) add('created_at >= ?', filter.createdFrom);
  if (filter.createdBefore !== null) add('created_at < ?', filter.createdBefore);
  if (filter.prefix !== null) addPrefix(add, filter.prefix);
  return { sql: parts.length === 0 ? 'true' : parts.join(' and '), params };
}

function addPrefix(add: (sql: string, ...values: unknown[]) => void, prefix: string): void {
  const from = prefix.normalize('NFC');
  const range = (expression: string, bound: string): string =>
    `(${expression}) collate "C" >= ${bound} and (${expression}) collate "C" < ${bound} || chr(${LAST_CODE_POINT})`;
  const email = from.toLowerCase().normalize('NFC');
  // Names are lowered by the database alone, on both sides: other systems know other letters.
  add(
    `((${range('email_normalized', '?::text')}) or (${range('lower(first_name)', 'lower(?)')})
      or (${range('lower(last_name)', 'lower(?)')}))`,
    email,
    email,
    from,
    from,
    from,
    from,
  );
}
