import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate, timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { MethodImpl } from '@connectrpc/connect';
import {
  type RevocationSchema,
  type TokenService,
  WatchRevocationsResponseSchema,
} from '../../../../gen/optix/identity/v1/token_service_pb.ts';
import type { Revocation } from '../../domain/revocation.ts';
import { readCursor, writeCursor } from '../../domain/revocation-cursor.ts';
import type { RevocationWatch, WatchPart } from '../../domain/revocation-watch.ts';
import { Fields } from '../fields.ts';

/** optix.identity.v1.TokenService/WatchRevocations */
export function watchRevocations({
  revocationWatch,
}: {
  readonly revocationWatch: RevocationWatch;
}): MethodImpl<typeof TokenService.method.watchRevocations> {
  return async function* ({ cursor }, { signal }) {
    const fields = new Fields();
    const from = cursor === '' ? null : readCursor(cursor);
    if (from === undefined) fields.add('cursor', 'is not one that WatchRevocations has given');
    fields.check();
    for await (const part of revocationWatch.watch(from ?? null, signal)) yield watchResponse(part);
  };
}

function watchResponse({ revocations, position, isSnapshot, isCaughtUp, readAt }: WatchPart) {
  return create(WatchRevocationsResponseSchema, {
    revocations: revocations.map(revocationMessage),
    cursor: writeCursor(position),
    snapshot: isSnapshot,
    caughtUp: isCaughtUp,
    serverTime: timestampFromMs(readAt),
  });
}

function revocationMessage(revocation: Revocation): MessageInitShape<typeof RevocationSchema> {
  return {
    subject: subjectOf(revocation),
    revokeTime: timestampFromDate(revocation.createdAt),
    expireTime: timestampFromDate(revocation.expiresAt),
    reason: revocation.reason,
  };
}

function subjectOf(revocation: Revocation) {
  switch (revocation.kind) {
    case 'session':
      return { case: 'sessionId', value: revocation.sessionId } as const;
    case 'token':
      return { case: 'tokenId', value: revocation.tokenId } as const;
    case 'user':
      return {
        case: 'user',
        value: { userId: revocation.userId, generation: BigInt(revocation.generation) },
      } as const;
    case 'key':
      return { case: 'keyId', value: revocation.keyId } as const;
  }
}
