import { type User, UserStatusSchema } from '../../../gen/optix/identity/v1/user_pb.ts';
import { enumName } from '../../output/enum-name.ts';
import { tableText } from '../../output/table.ts';
import { timeText } from '../../output/time-text.ts';

const TITLES = ['id', 'email', 'status', 'roles', 'name', 'note'] as const;

/** Users for people. */
export function userTable(users: readonly User[]): string {
  return tableText(
    TITLES,
    users.map((user) => [
      user.id,
      user.email,
      statusText(user),
      user.roles.join(','),
      nameText(user),
      user.lockExpireTime === undefined ? '' : 'locked',
    ]),
  );
}

/** All that is known of one user, a line for each field. */
export function userDetails(user: User): string {
  return tableText(
    ['field', 'value'],
    [
      ['id', user.id],
      ['email', user.email],
      ['verified', timeText(user.verifyTime) || 'no'],
      ['status', statusText(user)],
      ['roles', user.roles.join(',')],
      ['name', nameText(user)],
      ['phone', user.phone],
      ['password', user.hasPassword ? 'yes' : 'none'],
      ['second factor', user.mfaEnabled ? 'required' : 'no'],
      ['locked until', timeText(user.lockExpireTime)],
      ['last sign-in', timeText(user.lastLoginTime) || 'never'],
      ['created', timeText(user.createTime)],
      ['changed', timeText(user.updateTime)],
      ['deleted', timeText(user.deleteTime)],
      ['etag', user.etag],
    ],
  );
}

function statusText({ status }: User): string {
  return enumName(UserStatusSchema, status).toLowerCase();
}

function nameText({ firstName, lastName }: User): string {
  return `${firstName} ${lastName}`.trim();
}
