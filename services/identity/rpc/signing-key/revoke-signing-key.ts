import type { MethodImpl } from '@connectrpc/connect';
import {
  RevokeSigningKeyRequestSchema,
  type SigningKeyService,
} from '../../../../gen/optix/identity/v1/signing_key_service_pb.ts';
import type { KeyRotation } from '../../domain/key-rotation.ts';
import { takeOrigin } from '../change-origin.ts';
import { Fields } from '../fields.ts';
import { type RequestKeys, requestKeyOf } from '../request-key.ts';
import { signingKeyMessage } from './signing-key-message.ts';

/** RFC 7638 thumbprints with SHA-256: 32 bytes in base64url. */
const KID = /^[A-Za-z0-9_-]{43}$/;

/** optix.identity.v1.SigningKeyService/RevokeSigningKey */
export function revokeSigningKey(context: {
  readonly keyRotation: KeyRotation;
  readonly requestKeys: RequestKeys;
}): MethodImpl<typeof SigningKeyService.method.revokeSigningKey> {
  return async (request, call) => {
    const fields = new Fields();
    if (!KID.test(request.kid)) fields.add('kid', 'must be a key id: 43 characters of base64url');
    const origin = takeOrigin(fields, call, request);
    fields.check();
    const requestKey = requestKeyOf(context, call, RevokeSigningKeyRequestSchema, request);
    const keys = await context.keyRotation.revoke({ kid: request.kid, origin, requestKey });
    return { keys: keys.map(signingKeyMessage) };
  };
}
