import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { MethodImpl } from '@connectrpc/connect';
import type { TokenService } from '../../../../gen/optix/identity/v1/token_service_pb.ts';
import { type RefreshDeps, refresh as refreshTokens } from '../../domain/refresh.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';

const MAX_BYTES = 512;

/** optix.identity.v1.TokenService/RefreshToken */
export function refreshToken({
  refresh,
}: {
  readonly refresh: RefreshDeps;
}): MethodImpl<typeof TokenService.method.refreshToken> {
  return async (request, context) => {
    const fields = new Fields();
    const token = request.refreshToken;
    if (Buffer.byteLength(token) > MAX_BYTES)
      fields.add('refresh_token', `must be at most ${MAX_BYTES} bytes`);
    const device = takeDevice(fields, request.device, context);
    fields.check();
    const answer = await refreshTokens(refresh, { token, device }, context.signal);
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
