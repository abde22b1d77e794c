import { type Duration, durationMs } from '@bufbuild/protobuf/wkt';
import type { MethodImpl } from '@connectrpc/connect';
import type { CallerService } from '../../../gen/optix/callers/v1/caller_service_pb.ts';
import { callerOf } from '../../call-context.ts';
import type { ManagedKeys } from '../managed-keys.ts';
import { callerKeyMessage } from './caller-key-message.ts';
import { NOBODY } from './create-caller-key.ts';
import { expiresAt } from './expiration.ts';

export const MAX_OVERLAP_DAYS = 30;
const DEFAULT_OVERLAP_MS = 86_400_000;

/** How long the other key stays good, in milliseconds. */
export function overlapMs(overlap: Duration | undefined): number {
  return overlap === undefined ? DEFAULT_OVERLAP_MS : durationMs(overlap);
}

/** optix.callers.v1.CallerService/RotateCallerKey */
export function rotateCallerKey(
  keys: () => ManagedKeys,
): MethodImpl<typeof CallerService.method.rotateCallerKey> {
  return async ({ id, overlap, expiration, requestId }, context) => {
    const end = expiresAt(expiration);
    const { key, text, previous } = await keys().rotate(id.toLowerCase(), overlapMs(overlap), {
      id: requestId === '' ? undefined : requestId.toLowerCase(),
      createdBy: callerOf(context)?.name ?? NOBODY,
      ...(end === undefined ? {} : { expiresAt: end }),
    });
    return { callerKey: callerKeyMessage(key), key: text, previous: callerKeyMessage(previous) };
  };
}
