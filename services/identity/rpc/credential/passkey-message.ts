import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  type Passkey as PasskeyMessage,
  PasskeySchema,
} from '../../../../gen/optix/identity/v1/credential_service_pb.ts';
import type { Passkey } from '../../domain/passkeys/passkey.ts';

/** A passkey in the contract's form: everything but its public key and its count, which are of no use to callers. */
export function passkeyMessage(passkey: Passkey): PasskeyMessage {
  const message = create(PasskeySchema, {
    id: passkey.id,
    userId: passkey.userId,
    name: passkey.name ?? '',
    credentialId: passkey.credentialId.toString('base64url'),
    aaguid: passkey.aaguid ?? '',
    transports: [...passkey.transports],
    multiDevice: passkey.deviceType === 'multi_device',
    backedUp: passkey.backedUp,
    createTime: timestampFromDate(passkey.createdAt),
  });
  if (passkey.lastUsedAt !== null) message.lastUseTime = timestampFromDate(passkey.lastUsedAt);
  return message;
}
