import type { MethodImpl } from '@connectrpc/connect';
import type { CallerService } from '../../../gen/optix/callers/v1/caller_service_pb.ts';
import type { ManagedKeys } from '../managed-keys.ts';
import { callerKeyMessage } from './caller-key-message.ts';

/** optix.callers.v1.CallerService/RevokeCallerKey */
export function revokeCallerKey(
  keys: () => ManagedKeys,
): MethodImpl<typeof CallerService.method.revokeCallerKey> {
  return async ({ id }) => ({ callerKey: callerKeyMessage(await keys().revoke(id.toLowerCase())) });
}
