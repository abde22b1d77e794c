import { create, type JsonObject } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  type SecurityEvent as SecurityEventMessage,
  SecurityEventSchema,
} from '../../../../gen/optix/identity/v1/security_event_service_pb.ts';
import type { RecordedSecurityEvent } from '../../domain/security-event.ts';
import { severityNumber } from './event-severity.ts';

/** An event in the contract's form. */
export function securityEventMessage(event: RecordedSecurityEvent): SecurityEventMessage {
  const { device, resolution } = event;
  const message = create(SecurityEventSchema, {
    id: event.id,
    type: event.type,
    severity: severityNumber(event.severity),
    description: event.description,
    userId: event.userId ?? '',
    sessionId: event.sessionId ?? '',
    device: {
      id: device.id ?? '',
      fingerprint: device.fingerprint ?? '',
      name: device.name ?? '',
      ipAddress: device.ipAddress ?? '',
      userAgent: device.userAgent ?? '',
    },
    metadata: event.metadata as JsonObject,
    createTime: timestampFromDate(event.createdAt),
    sequence: event.sequence ?? 0n,
    resolvedBy: resolution?.by ?? '',
    resolutionNote: resolution?.note ?? '',
  });
  if (resolution !== null) message.resolveTime = timestampFromDate(resolution.at);
  return message;
}
