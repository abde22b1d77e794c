import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { CallerKey } from '../../../gen/optix/callers/v1/caller_service_pb.ts';
import { tableText } from '../../output/table.ts';
import { timeText } from '../../output/time-text.ts';

const TITLES = ['id', 'name', 'scopes', 'state', 'created', 'by', 'ends', 'last used'] as const;

/** Keys for people. What only the caller may know is no part of them. */
export function keyTable(keys: readonly CallerKey[]): string {
  return tableText(
    TITLES,
    keys.map((key) => [
      key.id,
      key.name,
      key.scopes.join(','),
      stateOf(key),
      timeText(key.createTime),
      key.createdBy,
      timeText(key.revokeTime ?? key.expireTime) || 'never',
      timeText(key.lastUseTime) || 'never',
    ]),
  );
}

function stateOf({ revokeTime, expireTime }: CallerKey): string {
  if (revokeTime !== undefined) return 'revoked';
  return expireTime !== undefined && timestampMs(expireTime) <= Date.now() ? 'expired' : 'good';
}
