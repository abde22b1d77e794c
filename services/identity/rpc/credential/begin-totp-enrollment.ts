import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { MethodImpl } from '@connectrpc/connect';
import type { CredentialService } from '../../../../gen/optix/identity/v1/credential_service_pb.ts';
import { qrSvg } from '../../domain/qr-code.ts';
import { beginTotpEnrollment as begin } from '../../domain/second-factors/begin-totp-enrollment.ts';
import type { SecondFactorDeps } from '../../domain/second-factors/second-factor-deps.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';
import { takeToken } from '../token/token-field.ts';

/** optix.identity.v1.CredentialService/BeginTotpEnrollment */
export function beginTotpEnrollment({
  secondFactors,
}: {
  readonly secondFactors: SecondFactorDeps;
}): MethodImpl<typeof CredentialService.method.beginTotpEnrollment> {
  return async (request, call) => {
    const fields = new Fields();
    const accessToken = takeToken(fields, 'access_token', request.accessToken);
    const device = takeDevice(fields, request.device, call);
    fields.check();
    const { secret, otpauthUri, expiresAt } = await begin(secondFactors, { accessToken, device });
    return { secret, otpauthUri, qrSvg: qrSvg(otpauthUri), expireTime: timestampFromDate(expiresAt) };
  };
}
