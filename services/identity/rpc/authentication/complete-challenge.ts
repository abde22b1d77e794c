import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { HandlerContext, MethodImpl } from '@connectrpc/connect';
import type {
  AuthenticationService,
  CompleteChallengeRequest,
} from '../../../../gen/optix/identity/v1/authentication_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import {
  type ChallengeCompletion,
  completeChallenge as complete,
} from '../../domain/challenges/complete-challenge.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';
import { sessionMessage } from '../session-message.ts';
import { takeToken } from '../token/token-field.ts';
import { userMessage } from '../user-message.ts';
import { takeProof } from './proof-field.ts';

/** optix.identity.v1.AuthenticationService/CompleteChallenge */
export function completeChallenge({
  challenges,
  outcomes,
}: Pick<IdentityContext, 'challenges' | 'outcomes'>): MethodImpl<
  typeof AuthenticationService.method.completeChallenge
> {
  return async (request, call) => {
    const { user, session, accessToken, refreshToken, trust } = await outcomes.signIns.count(
      call.signal,
      async () => await complete(challenges, completionOf(request, call), call.signal),
      (completed) => (completed.refreshToken === null ? 'stepped_up' : 'signed_in'),
    );
    return {
      accessToken: accessToken.token,
      tokenType: 'Bearer',
      accessTokenExpireTime: timestampFromDate(accessToken.expiresAt),
      session: sessionMessage(session),
      user: userMessage(user),
      ...(refreshToken === null
        ? {}
        : {
            refreshToken: refreshToken.token,
            refreshTokenExpireTime: timestampFromDate(refreshToken.expiresAt),
          }),
      ...(trust === null
        ? {}
        : { trustToken: trust.token, trustTokenExpireTime: timestampFromDate(trust.expiresAt) }),
    };
  };
}

function completionOf(request: CompleteChallengeRequest, call: HandlerContext): ChallengeCompletion {
  const fields = new Fields();
  const completion: ChallengeCompletion = {
    token: takeToken(fields, 'challenge_token', request.challengeToken),
    proof: takeProof(fields, request),
    device: takeDevice(fields, request.device, call),
    wantsTrust: request.trustDevice,
  };
  if (request.trustDevice && !request.device?.fingerprint) {
    fields.add('device.fingerprint', 'must not be empty where trust_device is set');
  }
  fields.check();
  return completion;
}
