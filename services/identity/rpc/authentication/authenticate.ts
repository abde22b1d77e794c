import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { HandlerContext, MethodImpl } from '@connectrpc/connect';
import type {
  AuthenticateRequest,
  AuthenticationService,
} from '../../../../gen/optix/identity/v1/authentication_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { type SignIn, authenticate as signIn } from '../../domain/authenticate.ts';
import { parseEmail } from '../../domain/email.ts';
import { challengeMessage } from '../challenge-message.ts';
import { takeTypedPassword } from '../credential/password-fields.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';
import { sessionMessage } from '../session-message.ts';
import { userMessage } from '../user-message.ts';

/** optix.identity.v1.AuthenticationService/Authenticate */
export function authenticate({
  authentication,
  outcomes,
}: Pick<IdentityContext, 'authentication' | 'outcomes'>): MethodImpl<
  typeof AuthenticationService.method.authenticate
> {
  return async (request, context) => {
    const { signal } = context;
    const answer = await outcomes.signIns.count(
      signal,
      async () => await signIn(authentication, signInOf(request, context), signal),
      (answered) => ('challenge' in answered ? 'challenged' : 'signed_in'),
    );
    if ('challenge' in answer) return { challenge: challengeMessage(answer.challenge) };
    const { user, session, accessToken, refreshToken } = answer;
    return {
      accessToken: accessToken.token,
      refreshToken: refreshToken.token,
      tokenType: 'Bearer',
      accessTokenExpireTime: timestampFromDate(accessToken.expiresAt),
      refreshTokenExpireTime: timestampFromDate(refreshToken.expiresAt),
      session: sessionMessage(session),
      user: userMessage(user),
    };
  };
}

function signInOf(request: AuthenticateRequest, context: HandlerContext): SignIn {
  const fields = new Fields();
  const signIn: SignIn = {
    email: fields.take('email', parseEmail(request.email)),
    password: takeTypedPassword(fields, 'password', request.password),
    device: takeDevice(fields, request.device, context),
    ...(request.trustToken === '' ? {} : { trustToken: request.trustToken }),
  };
  fields.check();
  return signIn;
}
