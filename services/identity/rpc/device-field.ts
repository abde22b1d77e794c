import type { HandlerContext } from '@connectrpc/connect';
import type { Device as DeviceMessage } from '../../../gen/optix/identity/v1/session_pb.ts';
import { peerAddress } from '../../../runtime/call-context.ts';
import { type Device, parseDevice, type RawDevice } from '../domain/device.ts';
import type { Fields } from './fields.ts';

const FIELD_NAMES: Readonly<Record<keyof RawDevice, string>> = {
  id: 'device.id',
  fingerprint: 'device.fingerprint',
  name: 'device.name',
  ipAddress: 'device.ip_address',
  userAgent: 'device.user_agent',
};

/**
 * The device a call is made for. Where the request gives no address, the caller's own counts: a backend that forgets
 * to pass it on runs into the limits itself, instead of leaving its users without any.
 */
export function takeDevice(
  fields: Fields,
  message: DeviceMessage | undefined,
  context: HandlerContext,
): Device {
  const raw: RawDevice = {
    id: message?.id ?? '',
    fingerprint: message?.fingerprint ?? '',
    name: message?.name ?? '',
    ipAddress: message?.ipAddress || (peerAddress(context) ?? ''),
    userAgent: message?.userAgent ?? '',
  };
  const parsed = parseDevice(raw);
  if (parsed.ok) return parsed.value;
  for (const { field, reason } of parsed.problems) fields.add(FIELD_NAMES[field], reason);
  return undefined as never;
}
