import type { MethodImpl } from '@connectrpc/connect';
import type { Authorization, CheckResponse } from '../../../../gen/envoy/service/auth/v3/external_auth_pb.ts';
import type { MisconfigurationLog } from '../../../../runtime/misconfiguration-log.ts';
import { misconfiguration, refusal } from '../../access/refusal.ts';
import type { AccessRequirement } from '../../domain/access/access.ts';
import { type AccessDeps, decideAccess } from '../../domain/access/decide-access.ts';
import { readRequirement, UnreadableRequirement } from '../../domain/access/gateway-requirement.ts';
import { allowed, denied } from './check-response.ts';
import { headerNames, originalRequest } from './original-request.ts';

/** envoy.service.auth.v3.Authorization/Check */
export function check({
  access,
  misconfigurations,
}: {
  readonly access: AccessDeps;
  readonly misconfigurations: MisconfigurationLog;
}): MethodImpl<typeof Authorization.method.check> {
  return async ({ attributes }): Promise<CheckResponse> => {
    let requirement: AccessRequirement | undefined;
    try {
      requirement = readRequirement(attributes?.contextExtensions ?? {});
    } catch (error) {
      if (!(error instanceof UnreadableRequirement)) throw error;
      misconfigurations.report(error.problem);
      return denied(misconfiguration(error));
    }
    const decision = await decideAccess(access, originalRequest(attributes), requirement);
    return decision.outcome === 'ALLOWED'
      ? allowed(decision.token, headerNames(attributes))
      : denied(refusal(decision));
  };
}
