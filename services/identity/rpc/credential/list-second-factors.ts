import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { MethodImpl } from '@connectrpc/connect';
import {
  type CredentialService,
  ListSecondFactorsResponseSchema,
} from '../../../../gen/optix/identity/v1/credential_service_pb.ts';
import { listSecondFactors as list } from '../../domain/second-factors/list-second-factors.ts';
import type { SecondFactorDeps } from '../../domain/second-factors/second-factor-deps.ts';
import { Fields } from '../fields.ts';
import { parseUuid } from '../identity/user-fields.ts';
import { passkeyMessage } from './passkey-message.ts';

/** optix.identity.v1.CredentialService/ListSecondFactors */
export function listSecondFactors({
  secondFactors,
}: {
  readonly secondFactors: Pick<SecondFactorDeps, 'secondFactors'>;
}): MethodImpl<typeof CredentialService.method.listSecondFactors> {
  return async (request) => {
    const fields = new Fields();
    const userId = fields.take('user_id', parseUuid(request.userId));
    fields.check();
    const { totpSince, passkeys, recoveryCodesLeft } = await list(secondFactors, userId);
    const response = create(ListSecondFactorsResponseSchema, {
      enabled: totpSince !== null || passkeys.length > 0,
      passkeys: passkeys.map(passkeyMessage),
      recoveryCodesLeft,
    });
    if (totpSince !== null) response.totpCreateTime = timestampFromDate(totpSince);
    return response;
  };
}
