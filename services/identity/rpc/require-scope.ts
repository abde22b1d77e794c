import { Code, type HandlerContext } from '@connectrpc/connect';
import { callerOf } from '../../../runtime/call-context.ts';
import { rpcError } from '../../../runtime/errors.ts';
import { methodName } from '../../../runtime/service-table.ts';
import { ERROR_DOMAIN } from '../errors.ts';

/**
 * For what a request asks for beyond its RPC. Everybody may where callers are not authenticated.
 *
 * @param need what the caller needs the scope for: `to ...`
 * @throws ConnectError PERMISSION_DENIED (`CALLER_NOT_PERMITTED`)
 */
export function requireScope(context: HandlerContext, scope: string, need: string): void {
  const caller = callerOf(context);
  if (caller === undefined || caller.scopes.has(scope)) return;
  throw rpcError(Code.PermissionDenied, {
    message: `the caller needs the scope ${scope} ${need}`,
    reason: 'CALLER_NOT_PERMITTED',
    domain: ERROR_DOMAIN,
    metadata: { rpc: methodName(context.method), scope },
  });
}
