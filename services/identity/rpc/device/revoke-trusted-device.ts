import type { MethodImpl } from '@connectrpc/connect';
import type { DeviceService } from '../../../../gen/optix/identity/v1/device_service_pb.ts';
import type { DeviceDeps } from '../../domain/devices/device-deps.ts';
import { revokeTrustedDevice as revoke } from '../../domain/devices/revoke-trusted-device.ts';
import { takeOrigin } from '../change-origin.ts';
import { Fields } from '../fields.ts';
import { parseUuid } from '../identity/user-fields.ts';

/** optix.identity.v1.DeviceService/RevokeTrustedDevice */
export function revokeTrustedDevice({
  devices,
}: {
  readonly devices: Pick<DeviceDeps, 'unitOfWork' | 'now'>;
}): MethodImpl<typeof DeviceService.method.revokeTrustedDevice> {
  return async (request, call) => {
    const fields = new Fields();
    const userId = fields.take('user_id', parseUuid(request.userId));
    const id = request.id === '' ? null : fields.take('id', parseUuid(request.id));
    const origin = takeOrigin(fields, call, request);
    fields.check();
    return { revokedDevices: BigInt(await revoke(devices, { userId, id, origin })) };
  };
}
