import type { MethodImpl } from '@connectrpc/connect';
import {
  RotateSigningKeysRequestSchema,
  type SigningKeyService,
} from '../../../../gen/optix/identity/v1/signing_key_service_pb.ts';
import type { KeyRotation } from '../../domain/key-rotation.ts';
import { takeOrigin } from '../change-origin.ts';
import { Fields } from '../fields.ts';
import { type RequestKeys, requestKeyOf } from '../request-key.ts';
import { signingKeyMessage } from './signing-key-message.ts';

/** optix.identity.v1.SigningKeyService/RotateSigningKeys */
export function rotateSigningKeys(context: {
  readonly keyRotation: KeyRotation;
  readonly requestKeys: RequestKeys;
}): MethodImpl<typeof SigningKeyService.method.rotateSigningKeys> {
  return async (request, call) => {
    const fields = new Fields();
    const origin = takeOrigin(fields, call, { actor: request.actor });
    fields.check();
    const requestKey = requestKeyOf(context, call, RotateSigningKeysRequestSchema, request);
    const keys = await context.keyRotation.rotate({ origin, requestKey, force: request.force });
    return { keys: keys.map(signingKeyMessage) };
  };
}
