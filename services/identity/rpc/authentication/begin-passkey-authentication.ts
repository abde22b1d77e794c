import type { MethodImpl } from '@connectrpc/connect';
import type { AuthenticationService } from '../../../../gen/optix/identity/v1/authentication_service_pb.ts';
import { beginPasskeyAuthentication as begin } from '../../domain/challenges/begin-passkey-authentication.ts';
import type { ChallengeDeps } from '../../domain/challenges/challenge-deps.ts';
import { challengeMessage } from '../challenge-message.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';

/** optix.identity.v1.AuthenticationService/BeginPasskeyAuthentication */
export function beginPasskeyAuthentication({
  challenges,
}: {
  readonly challenges: ChallengeDeps;
}): MethodImpl<typeof AuthenticationService.method.beginPasskeyAuthentication> {
  return async (request, call) => {
    const fields = new Fields();
    const device = takeDevice(fields, request.device, call);
    fields.check();
    return { challenge: challengeMessage(await begin(challenges, device, call.signal)) };
  };
}
