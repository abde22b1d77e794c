import type { MethodImpl } from '@connectrpc/connect';
import type {
  DeviceService,
  ListTrustedDevicesRequest,
} from '../../../../gen/optix/identity/v1/device_service_pb.ts';
import type { DeviceDeps } from '../../domain/devices/device-deps.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { Fields } from '../fields.ts';
import { parseUuid } from '../identity/user-fields.ts';
import { type DeviceListing, readPageToken, writePageToken } from './device-page-token.ts';
import { trustedDeviceMessage } from './trusted-device-message.ts';

const MAX_PAGE_SIZE = 1_000;
const DEFAULT_PAGE_SIZE = 50;

/** optix.identity.v1.DeviceService/ListTrustedDevices */
export function listTrustedDevices({
  devices: { trustedDevices, now },
}: {
  readonly devices: Pick<DeviceDeps, 'trustedDevices' | 'now'>;
}): MethodImpl<typeof DeviceService.method.listTrustedDevices> {
  return async (request) => {
    const { listing, before, pageSize } = queryOf(request);
    const { userId, showRevoked } = listing;
    const at = now();
    const trustedAt = showRevoked ? null : at;
    // One more than asked for tells whether there is another page.
    const found = await trustedDevices.listByUser(userId, { trustedAt, before, limit: pageSize + 1 });
    const page = found.slice(0, pageSize);
    const last = page.at(-1);
    return {
      trustedDevices: page.map((device) => trustedDeviceMessage(device, at)),
      nextPageToken: found.length > pageSize && last !== undefined ? writePageToken(listing, last.id) : '',
    };
  };
}

function queryOf(request: ListTrustedDevicesRequest): {
  readonly listing: DeviceListing;
  readonly before: Uuid | null;
  readonly pageSize: number;
} {
  const { pageSize, pageToken, showRevoked } = request;
  const fields = new Fields();
  const listing = { userId: fields.take('user_id', parseUuid(request.userId)), showRevoked };
  if (pageSize < 0 || pageSize > MAX_PAGE_SIZE) {
    fields.add('page_size', `must be from 1 to ${MAX_PAGE_SIZE}, or 0 for ${DEFAULT_PAGE_SIZE}`);
  }
  const before = pageToken === '' ? null : readPageToken(listing, pageToken);
  if (before === undefined) fields.add('page_token', 'is none of this list (INVALID_PAGE_TOKEN)');
  fields.check();
  return { listing, before: before ?? null, pageSize: pageSize || DEFAULT_PAGE_SIZE };
}
