import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type CallerKey, CallerKeySchema } from '../../../gen/optix/callers/v1/caller_service_pb.ts';
import type { StoredCallerKey } from '../caller-key.ts';

/** What callers are told of a key: all but its digest. */
export function callerKeyMessage(key: StoredCallerKey): CallerKey {
  const message = create(CallerKeySchema, {
    id: key.id,
    name: key.name,
    scopes: [...key.scopes],
    createTime: timestampFromDate(key.createdAt),
    createdBy: key.createdBy,
  });
  if (key.expiresAt !== null) message.expireTime = timestampFromDate(key.expiresAt);
  if (key.lastUsedAt !== null) message.lastUseTime = timestampFromDate(key.lastUsedAt);
  if (key.revokedAt !== null) message.revokeTime = timestampFromDate(key.revokedAt);
  return message;
}
