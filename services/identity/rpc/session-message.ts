import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type Session as SessionMessage, SessionSchema } from '../../../gen/optix/identity/v1/session_pb.ts';
import type { Session, StoredSession } from '../domain/session.ts';
import type { SessionPolicy } from '../domain/session-policy.ts';

/** A session that was just opened, in the contract's form. */
export function sessionMessage(session: Session): SessionMessage {
  const { device, authentication } = session;
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
    amr: [...authentication.amr],
    acr: authentication.acr,
    authenticateTime: timestampFromDate(authentication.authenticatedAt),
    active: true,
  });
}

/** A session as it is kept, in the contract's form. */
export function storedSessionMessage(
  session: StoredSession,
  policy: SessionPolicy,
  at: Date,
): SessionMessage {
  const message = sessionMessage(session);
  message.active = session.endedAt === null && policy.goesOn(session, at);
  if (session.endedAt !== null) message.endTime = timestampFromDate(session.endedAt);
  message.endReason = session.endReason ?? '';
  return message;
}
