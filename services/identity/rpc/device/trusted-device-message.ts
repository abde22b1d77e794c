import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  type TrustedDevice as TrustedDeviceMessage,
  TrustedDeviceSchema,
} from '../../../../gen/optix/identity/v1/device_service_pb.ts';
import { isTrusted, type TrustedDevice } from '../../domain/trusted-devices.ts';

/** A trusted device in the contract's form, as it is at a time. */
export function trustedDeviceMessage(device: TrustedDevice, at: Date): TrustedDeviceMessage {
  const message = create(TrustedDeviceSchema, {
    id: device.id,
    userId: device.userId,
    device: {
      id: device.deviceId ?? '',
      fingerprint: device.fingerprint ?? '',
      name: device.name ?? '',
      ipAddress: device.ipAddress ?? '',
    },
    createTime: timestampFromDate(device.createdAt),
    expireTime: timestampFromDate(device.expiresAt),
    lastSeenTime: timestampFromDate(device.lastSeenAt),
    useCount: BigInt(device.useCount),
    revokeReason: device.revocationReason ?? '',
    trusted: isTrusted(device, at),
  });
  if (device.revokedAt !== null) message.revokeTime = timestampFromDate(device.revokedAt);
  return message;
}
