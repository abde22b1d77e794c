import type { MethodImpl } from '@connectrpc/connect';
import type { SecurityEventService } from '../../../../gen/optix/identity/v1/security_event_service_pb.ts';
import type { AuditLogDeps } from '../../domain/audit/audit-log-deps.ts';
import { chainHead } from '../../domain/audit/chain-head.ts';

/** optix.identity.v1.SecurityEventService/GetSecurityEventChainHead */
export function getSecurityEventChainHead({
  auditLog,
}: {
  readonly auditLog: Pick<AuditLogDeps, 'chain' | 'sealing'>;
}): MethodImpl<typeof SecurityEventService.method.getSecurityEventChainHead> {
  return async () => {
    const { head, lag } = await chainHead(auditLog);
    return {
      head: { sequence: head.sequence, chainHash: head.chainHash },
      unsealedEvents: BigInt(lag.unsealed),
      sealingLagMs: BigInt(lag.oldestMs),
    };
  };
}
