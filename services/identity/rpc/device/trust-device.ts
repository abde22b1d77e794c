import type { MethodImpl } from '@connectrpc/connect';
import type { DeviceService } from '../../../../gen/optix/identity/v1/device_service_pb.ts';
import type { DeviceDeps } from '../../domain/devices/device-deps.ts';
import { trustSessionDevice } from '../../domain/devices/trust-device.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';
import { takeToken } from '../token/token-field.ts';
import { trustedDeviceMessage } from './trusted-device-message.ts';

/** optix.identity.v1.DeviceService/TrustDevice */
export function trustDevice({
  devices,
}: {
  readonly devices: DeviceDeps;
}): MethodImpl<typeof DeviceService.method.trustDevice> {
  return async (request, call) => {
    const fields = new Fields();
    const accessToken = takeToken(fields, 'access_token', request.accessToken);
    const device = takeDevice(fields, request.device, call);
    if (!request.device?.fingerprint) fields.add('device.fingerprint', 'must not be empty');
    fields.check();
    const trusted = await trustSessionDevice(devices, { accessToken, device });
    return {
      trustedDevice: trustedDeviceMessage(trusted.device, devices.now()),
      trustToken: trusted.token,
    };
  };
}
