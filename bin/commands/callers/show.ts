import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import type { CallerKey } from '../../../gen/optix/callers/v1/caller_service_pb.ts';

/** One line for one key, its fields between tabs. */
export function keyLine(key: CallerKey): string {
  const facts = [
    `created ${time(key.createTime)} by ${key.createdBy}`,
    key.revokeTime === undefined ? undefined : `revoked ${time(key.revokeTime)}`,
    key.expireTime === undefined ? undefined : `expires ${time(key.expireTime)}`,
    key.lastUseTime === undefined ? 'never used' : `last used ${time(key.lastUseTime)}`,
  ];
  return [key.id, key.name, key.scopes.join(','), ...facts.filter((fact) => fact !== undefined)].join('\t');
}

/** The key alone on standard output, for scripts; what is known of it on standard error. */
export function showNewKey(callerKey: CallerKey | undefined, key: string): void {
  if (callerKey !== undefined) console.error(keyLine(callerKey));
  console.error('This is the key. Nobody can tell it again:');
  console.log(key);
}

function time(timestamp: Timestamp | undefined): string {
  return timestamp === undefined ? '' : timestampDate(timestamp).toISOString();
}
