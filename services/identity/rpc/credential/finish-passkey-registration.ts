import type { HandlerContext, MethodImpl } from '@connectrpc/connect';
import type {
  CredentialService,
  FinishPasskeyRegistrationRequest,
} from '../../../../gen/optix/identity/v1/credential_service_pb.ts';
import {
  type FinishedPasskeyRegistration,
  finishPasskeyRegistration as finish,
} from '../../domain/second-factors/finish-passkey-registration.ts';
import type { PasskeyDeps } from '../../domain/second-factors/passkey-deps.ts';
import { parsePasskeyName } from '../../domain/second-factors/passkey-name.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';
import { takeToken } from '../token/token-field.ts';
import { passkeyMessage } from './passkey-message.ts';

/** Several times what browsers send, whose authenticators put certificates beside the key. */
const MAX_RESPONSE_BYTES = 16_384;

/** optix.identity.v1.CredentialService/FinishPasskeyRegistration */
export function finishPasskeyRegistration({
  passkeys,
}: {
  readonly passkeys: PasskeyDeps;
}): MethodImpl<typeof CredentialService.method.finishPasskeyRegistration> {
  return async (request, call) => {
    const { passkey, recoveryCodes } = await finish(passkeys, finishedOf(request, call));
    return { passkey: passkeyMessage(passkey), recoveryCodes: [...recoveryCodes] };
  };
}

function finishedOf(
  request: FinishPasskeyRegistrationRequest,
  call: HandlerContext,
): FinishedPasskeyRegistration {
  const fields = new Fields();
  const finished = {
    accessToken: takeToken(fields, 'access_token', request.accessToken),
    token: takeToken(fields, 'registration_token', request.registrationToken),
    response: takeResponse(fields, request.response),
    name: fields.take('name', parsePasskeyName(request.name)),
    device: takeDevice(fields, request.device, call),
  };
  fields.check();
  return finished;
}

function takeResponse(fields: Fields, response: string): string {
  if (response === '') fields.add('response', 'must not be empty');
  else if (Buffer.byteLength(response) > MAX_RESPONSE_BYTES) {
    fields.add('response', `must have at most ${MAX_RESPONSE_BYTES} bytes`);
  }
  return response;
}
