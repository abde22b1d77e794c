import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Session } from '../../../gen/optix/identity/v1/session_pb.ts';
import { tableText } from '../../output/table.ts';
import { timeText } from '../../output/time-text.ts';

const TITLES = ['session', 'state', 'opened', 'last used', 'ends', 'device', 'address', 'acr'] as const;

/** Sessions for people. */
export function sessionTable(sessions: readonly Session[]): string {
  return tableText(
    TITLES,
    sessions.map((session) => [
      session.id,
      stateOf(session),
      timeText(session.createTime),
      timeText(session.lastActivityTime),
      timeText(session.endTime ?? session.expireTime),
      session.device?.name || session.device?.id || '',
      session.device?.ipAddress ?? '',
      session.acr,
    ]),
  );
}

function stateOf({ active, endReason, expireTime }: Session): string {
  if (active) return 'active';
  if (endReason !== '') return endReason;
  return expireTime !== undefined && timestampMs(expireTime) <= Date.now() ? 'expired' : 'ended';
}
