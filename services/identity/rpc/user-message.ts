import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type User as UserMessage, UserSchema, UserStatus } from '../../../gen/optix/identity/v1/user_pb.ts';
import { etagOf, type UserStatus as Status, type User } from '../domain/user.ts';

const STATUSES: Readonly<Record<Status, UserStatus>> = {
  active: UserStatus.ACTIVE,
  inactive: UserStatus.INACTIVE,
  suspended: UserStatus.SUSPENDED,
  deleted: UserStatus.DELETED,
};

/** A user in the contract's form. */
export function userMessage(user: User): UserMessage {
  const message = create(UserSchema, {
    id: user.id,
    email: user.email,
    firstName: user.firstName,
    lastName: user.lastName,
    phone: user.phone ?? '',
    status: STATUSES[user.status],
    roles: [...user.roles],
    mfaEnabled: user.mfaEnabled,
    createTime: timestampFromDate(user.createdAt),
    updateTime: timestampFromDate(user.updatedAt),
    etag: etagOf(user),
    hasPassword: user.hasPassword,
  });
  if (user.lastLoginAt !== null) message.lastLoginTime = timestampFromDate(user.lastLoginAt);
  if (user.emailVerifiedAt !== null) message.verifyTime = timestampFromDate(user.emailVerifiedAt);
  if (user.deletedAt !== null) message.deleteTime = timestampFromDate(user.deletedAt);
  if (user.lockedUntil !== null && user.lockedUntil > new Date()) {
    message.lockExpireTime = timestampFromDate(user.lockedUntil);
  }
  return message;
}
