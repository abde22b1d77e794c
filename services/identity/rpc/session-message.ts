import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type Session as SessionMessage, SessionSchema } from '../../../gen/optix/identity/v1/session_pb.ts';
import type { Session } from '../domain/session.ts';

/** A session in the contract's form. */
export function sessionMessage(session: Session): SessionMessage {
  const { device } = session;
  return create(SessionSchema, {
    id: session.id,
    userId: session.userId,
    device: {
      id: device.id ?? '',
      fingerprint: device.fingerprint ?? '',
      name: device.name ?? '',
      ipAddress: device.ipAddress ?? '',
      userAgent: device.userAgent ?? '',
    },
    createTime: timestampFromDate(session.createdAt),
    expireTime: timestampFromDate(session.expiresAt),
    lastActivityTime: timestampFromDate(session.lastActivityAt),
    mfaVerified: session.mfaVerified,
    trustedDevice: session.isTrustedDevice,
  });
}
