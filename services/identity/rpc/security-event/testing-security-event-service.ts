import { type Client, createClient, createRouterTransport, type ServiceImpl } from '@connectrpc/connect';
import { pino } from 'pino';
import { SecurityEventService } from '../../../../gen/optix/identity/v1/security_event_service_pb.ts';
import { AccessControl } from '../../../../runtime/callers/access-control.ts';
import { Pipeline } from '../../../../runtime/pipeline.ts';
import type { AuditLogDeps } from '../../domain/audit/audit-log-deps.ts';
import { ERROR_DOMAIN, toRpcError } from '../../errors.ts';
import { policy } from '../../policy.ts';
import { requestKeysFrom } from '../request-key.ts';
import { securityEventTable } from './security-event-table.ts';

/** The name of the backend that calls. */
export const CALLER = 'payments';

/** A client of SecurityEventService's handlers, behind the pipeline, that needs no port. */
export function securityEventClient(
  auditLog: AuditLogDeps,
  scopes: readonly string[] = [...policy.scopes],
): Client<typeof SecurityEventService> {
  const caller = { name: CALLER, scopes: new Set(scopes), credential: 'api_key' as const };
  const pipeline = new Pipeline({
    domain: ERROR_DOMAIN,
    logger: pino({ level: 'silent' }),
    accessLog: 'off',
    access: new AccessControl({
      domain: ERROR_DOMAIN,
      policy,
      authenticator: { authenticate: () => caller, callersOf: () => undefined },
      adminRpcs: true,
    }),
    rules: [],
    mapError: toRpcError,
  });
  const table = securityEventTable({ auditLog, requestKeys: requestKeysFrom(new Uint8Array(32)) });
  const implementation = pipeline.wrap(table).handlers as unknown as ServiceImpl<typeof SecurityEventService>;
  return createClient(
    SecurityEventService,
    createRouterTransport(({ service }) => service(SecurityEventService, implementation)),
  );
}
