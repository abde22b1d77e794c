import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { HandlerContext, MethodImpl } from '@connectrpc/connect';
import type {
  RefreshTokenRequest,
  TokenService,
} from '../../../../gen/optix/identity/v1/token_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { type PresentedRefreshToken, refresh as refreshTokens } from '../../domain/refresh.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';

const MAX_BYTES = 512;

/** optix.identity.v1.TokenService/RefreshToken */
export function refreshToken({
  refresh,
  outcomes,
}: Pick<IdentityContext, 'refresh' | 'outcomes'>): MethodImpl<typeof TokenService.method.refreshToken> {
  return async (request, context) => {
    const { signal } = context;
    const answer = await outcomes.refreshes.count(
      signal,
      async () => await refreshTokens(refresh, presented(request, context), signal),
      () => 'refreshed',
    );
    return {
      accessToken: answer.accessToken.token,
      refreshToken: answer.refreshToken.token,
      tokenType: 'Bearer',
      accessTokenExpireTime: timestampFromDate(answer.accessToken.expiresAt),
      refreshTokenExpireTime: timestampFromDate(answer.refreshToken.expiresAt),
      sessionId: answer.sessionId,
      userId: answer.userId,
    };
  };
}

function presented(request: RefreshTokenRequest, context: HandlerContext): PresentedRefreshToken {
  const fields = new Fields();
  const token = request.refreshToken;
  if (Buffer.byteLength(token) > MAX_BYTES) {
    fields.add('refresh_token', `must be at most ${MAX_BYTES} bytes`);
  }
  const device = takeDevice(fields, request.device, context);
  fields.check();
  return { token, device };
}
