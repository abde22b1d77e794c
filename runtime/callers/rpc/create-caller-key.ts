import type { MethodImpl } from '@connectrpc/connect';
import type { CallerService } from '../../../gen/optix/callers/v1/caller_service_pb.ts';
import { callerOf } from '../../call-context.ts';
import type { ManagedKeys } from '../managed-keys.ts';
import { callerKeyMessage } from './caller-key-message.ts';
import { expiresAt } from './expiration.ts';

/** Who is said to have made a key where authentication is off. */
export const NOBODY = '(no authentication)';

/** optix.callers.v1.CallerService/CreateCallerKey */
export function createCallerKey(
  keys: () => ManagedKeys,
): MethodImpl<typeof CallerService.method.createCallerKey> {
  return async ({ name, scopes, expiration, requestId }, context) => {
    const { key, text } = await keys().create({
      id: requestId === '' ? undefined : requestId.toLowerCase(),
      name,
      scopes: [...new Set(scopes)],
      expiresAt: expiresAt(expiration) ?? null,
      createdBy: callerOf(context)?.name ?? NOBODY,
    });
    return { callerKey: callerKeyMessage(key), key: text };
  };
}
