import type { MethodImpl } from '@connectrpc/connect';
import type { AuthenticationService } from '../../../../gen/optix/identity/v1/authentication_service_pb.ts';
import { beginStepUp as begin } from '../../domain/challenges/begin-step-up.ts';
import type { ChallengeDeps } from '../../domain/challenges/challenge-deps.ts';
import { challengeMessage } from '../challenge-message.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';
import { takeToken } from '../token/token-field.ts';

/** optix.identity.v1.AuthenticationService/BeginStepUp */
export function beginStepUp({
  challenges,
}: {
  readonly challenges: ChallengeDeps;
}): MethodImpl<typeof AuthenticationService.method.beginStepUp> {
  return async (request, call) => {
    const fields = new Fields();
    const accessToken = takeToken(fields, 'access_token', request.accessToken);
    const device = takeDevice(fields, request.device, call);
    fields.check();
    return { challenge: challengeMessage(await begin(challenges, { accessToken, device }, call.signal)) };
  };
}
