import type { MethodImpl } from '@connectrpc/connect';
import type { SigningKeyService } from '../../../../gen/optix/identity/v1/signing_key_service_pb.ts';
import type { KeyRotation } from '../../domain/key-rotation.ts';
import { signingKeyMessage } from './signing-key-message.ts';

/** optix.identity.v1.SigningKeyService/ListSigningKeys */
export function listSigningKeys({
  keyRotation,
}: {
  readonly keyRotation: KeyRotation;
}): MethodImpl<typeof SigningKeyService.method.listSigningKeys> {
  return async () => ({ keys: (await keyRotation.list()).map(signingKeyMessage) });
}
