import type { MethodImpl } from '@connectrpc/connect';
import {
  type CredentialService,
  ResetSecondFactorsRequestSchema,
} from '../../../../gen/optix/identity/v1/credential_service_pb.ts';
import { resetSecondFactors as reset } from '../../domain/second-factors/reset-second-factors.ts';
import type { SecondFactorDeps } from '../../domain/second-factors/second-factor-deps.ts';
import { takeOrigin } from '../change-origin.ts';
import { Fields } from '../fields.ts';
import { parseUuid } from '../identity/user-fields.ts';
import { type RequestKeys, requestKeyOf } from '../request-key.ts';

/** optix.identity.v1.CredentialService/ResetSecondFactors */
export function resetSecondFactors(context: {
  readonly requestKeys: RequestKeys;
  readonly secondFactors: Pick<SecondFactorDeps, 'unitOfWork' | 'now'>;
}): MethodImpl<typeof CredentialService.method.resetSecondFactors> {
  return async (request, call) => {
    const fields = new Fields();
    const userId = fields.take('user_id', parseUuid(request.userId));
    const origin = takeOrigin(fields, call, request);
    fields.check();
    const requestKey = requestKeyOf(context, call, ResetSecondFactorsRequestSchema, request);
    const revoked = await reset(context.secondFactors, { userId, origin, requestKey });
    return { revokedSessions: BigInt(revoked) };
  };
}
