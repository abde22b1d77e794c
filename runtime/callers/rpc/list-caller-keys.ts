import type { MethodImpl } from '@connectrpc/connect';
import type { CallerService } from '../../../gen/optix/callers/v1/caller_service_pb.ts';
import type { ManagedKeys } from '../managed-keys.ts';
import { callerKeyMessage } from './caller-key-message.ts';
import { compareKeyPlaces, readKeyPageToken, writeKeyPageToken } from './key-page-token.ts';

export const MAX_PAGE_SIZE = 1000;
const DEFAULT_PAGE_SIZE = 100;

/** optix.callers.v1.CallerService/ListCallerKeys */
export function listCallerKeys(
  keys: () => ManagedKeys,
): MethodImpl<typeof CallerService.method.listCallerKeys> {
  return async ({ pageSize, pageToken }) => {
    const after = readKeyPageToken(pageToken) ?? null;
    const all = [...(await keys().list())].sort(compareKeyPlaces);
    const rest = after === null ? all : all.filter((key) => compareKeyPlaces(key, after) > 0);
    const page = rest.slice(0, pageSize || DEFAULT_PAGE_SIZE);
    const last = page.at(-1);
    const isLast = last === undefined || page.length === rest.length;
    return {
      callerKeys: page.map(callerKeyMessage),
      nextPageToken: isLast ? '' : writeKeyPageToken(last),
    };
  };
}
