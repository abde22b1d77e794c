import type { MethodImpl } from '@connectrpc/connect';
import type { DeviceService } from '../../../../gen/optix/identity/v1/device_service_pb.ts';
import type { DeviceDeps } from '../../domain/devices/device-deps.ts';
import { verifyTrustedDevice as verify } from '../../domain/devices/verify-trusted-device.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';
import { parseUuid } from '../identity/user-fields.ts';
import { takeToken } from '../token/token-field.ts';
import { trustedDeviceMessage } from './trusted-device-message.ts';

/** optix.identity.v1.DeviceService/VerifyTrustedDevice */
export function verifyTrustedDevice({
  devices,
}: {
  readonly devices: Pick<DeviceDeps, 'unitOfWork' | 'trustedDevicePolicy' | 'now'>;
}): MethodImpl<typeof DeviceService.method.verifyTrustedDevice> {
  return async (request, call) => {
    const fields = new Fields();
    const userId = fields.take('user_id', parseUuid(request.userId));
    const token = takeToken(fields, 'trust_token', request.trustToken);
    const device = takeDevice(fields, request.device, call);
    fields.check();
    const trusted = await verify(devices, { userId, token, device });
    if (trusted === null) return { trusted: false };
    return { trusted: true, trustedDevice: trustedDeviceMessage(trusted, devices.now()) };
  };
}
