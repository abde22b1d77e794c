import type { DescMethod } from '@bufbuild/protobuf';
import { Code, type ConnectError, type HandlerContext } from '@connectrpc/connect';
import { requestHeader, setCaller } from '../call-context.ts';
import { type ClientCertificate, clientCertificateOf } from '../client-certificate.ts';
import { rpcError } from '../errors.ts';
import type { RouteRequest } from '../http-route.ts';
import { methodName } from '../service-table.ts';
import { activeSpan, UNKNOWN_CALLER } from '../tracing/active-span.ts';
import type { Caller } from './caller.ts';
import { ANY_CALLER, type Policy } from './policy.ts';

/**
 * Lets the caller of one RPC in: answers who it is, undefined where authentication is off, and tells the context
 * (`callerOf`). A promise only where the credential takes time to check.
 *
 * @throws ConnectError UNAUTHENTICATED, PERMISSION_DENIED; or the promise rejects with it
 */
export type Guard = (context: HandlerContext) => Caller | undefined | Promise<Caller | undefined>;

/** Lets the caller of a route beside the RPCs in, as a {@link Guard} does; `tell` hears who calls, also where that is refused. */
export type RouteGuard = (
  request: RouteRequest,
  tell: (caller: Caller) => void,
) => Caller | undefined | Promise<Caller | undefined>;

/**
 * Where callers of routes show their credential. `authorization` is not theirs there: it belongs to the request that a
 * gateway asks about.
 */
export const ROUTE_AUTHORIZATION = 'x-optix-authorization';

/** Knows callers by what a call brings. */
export interface Authenticator {
  /**
   * Undefined for a credential that is not good, and for none.
   *
   * @param authorization `Bearer <API key or service token>`; undefined where it was not sent
   * @param certificate tells that of the connection
   */
  authenticate(
    authorization: string | undefined,
    certificate: () => ClientCertificate | undefined,
  ): Caller | undefined | Promise<Caller | undefined>;
  /** The only callers that may use an RPC or a route, where that is narrowed down. */
  callersOf(rpc: string): ReadonlySet<string> | undefined;
}

export interface AccessControlOptions {
  /** The service in error details, for example `identity.optix`. */
  readonly domain: string;
  readonly policy: Policy;
  /** Undefined: authentication is off, and everybody may do everything. */
  readonly authenticator: Authenticator | undefined;
  /** Whether this process serves the RPCs of administration. */
  readonly adminRpcs: boolean;
}

/**
 * Who may use which RPC. The refusal of a credential has the same bytes whatever was wrong with it; only a caller that
 * is known is told what it lacks.
 */
export class AccessControl {
  readonly #options: AccessControlOptions;

  constructor(options: AccessControlOptions) {
    this.#options = options;
  }

  /** The guard of an RPC; what can be decided before a call is. */
  guard(method: DescMethod): Guard {
    const rpc = methodName(method);
    const { authenticator } = this.#options;
    const whileOff = this.#whileOff(rpc);
    if (authenticator === undefined) return whileOff;
    const admit = this.#admission(rpc, authenticator);
    const admitTo = (context: HandlerContext, caller: Caller | undefined): Caller => {
      if (caller === undefined) throw this.#unauthenticated('authorization');
      // Also where it is refused: the log is to say who.
      setCaller(context, caller);
      return admit(caller);
    };
    return (context) => {
      const authorization = requestHeader(context, 'authorization');
      const caller = authenticator.authenticate(authorization, () => clientCertificateOf(context));
      return caller instanceof Promise
        ? caller.then((known) => admitTo(context, known))
        : admitTo(context, caller);
    };
  }

  /**
   * The guard of a route beside the RPCs, by its entry in the policy, for example `GET /forward-auth/nginx`.
   *
   * @param header that brings the credential
   */
  routeGuard(entry: string, header: string = ROUTE_AUTHORIZATION): RouteGuard {
    const { authenticator } = this.#options;
    if (authenticator === undefined) return this.#whileOff(entry);
    const admit = this.#admission(entry, authenticator);
    return async (request, tell) => {
      const shown = request.header(header);
      // Two of them are no credential, as they are none in an RPC.
      const authorization = shown.length === 0 ? undefined : shown.join(', ');
      const caller = await authenticator.authenticate(authorization, () => request.certificate);
      if (caller === undefined) throw this.#unauthenticated(header);
      tell(caller);
      return admit(caller);
    };
  }

  /** What holds where authentication is off. */
  #whileOff(rpc: string): () => undefined {
    const isOff = this.#isOff(rpc);
    return () => {
      if (isOff) throw this.#adminRpcsOff(rpc);
      return undefined;
    };
  }

  /** Whether this process does not serve it. */
  #isOff(rpc: string): boolean {
    const { policy, adminRpcs } = this.#options;
    const need = policy.needOf(rpc);
    return !adminRpcs && need !== undefined && policy.isAdmin(need);
  }

  /** Refuses callers that are known and may not use an RPC or a route. */
  #admission(rpc: string, authenticator: Authenticator): (caller: Caller) => Caller {
    const need = this.#options.policy.needOf(rpc);
    const isOff = this.#isOff(rpc);
    return (caller) => {
      if (isOff) throw this.#adminRpcsOff(rpc);
      if (need === undefined) throw this.#notPermitted('nobody may use this RPC', { rpc });
      if (need !== ANY_CALLER && !caller.scopes.has(need)) {
        throw this.#notPermitted(`the caller needs the scope ${need}`, { rpc, scope: need });
      }
      if (authenticator.callersOf(rpc)?.has(caller.name) === false) {
        throw this.#notPermitted('this RPC is for other callers', { rpc, scope: need });
      }
      return caller;
    };
  }

  #unauthenticated(header: string): ConnectError {
    activeSpan()?.setAttribute(UNKNOWN_CALLER, true);
    return rpcError(Code.Unauthenticated, {
      message: `the call needs the credential of a known caller: ${header}: Bearer <API key or service token>, or a client certificate`,
      reason: 'CALLER_UNAUTHENTICATED',
      domain: this.#options.domain,
    });
  }

  #notPermitted(message: string, metadata: Readonly<Record<string, string>>): ConnectError {
    const { domain } = this.#options;
    return rpcError(Code.PermissionDenied, { message, reason: 'CALLER_NOT_PERMITTED', domain, metadata });
  }

  #adminRpcsOff(rpc: string): ConnectError {
    return rpcError(Code.PermissionDenied, {
      message: 'this process does not serve the RPCs of administration',
      reason: 'ADMIN_RPCS_OFF',
      domain: this.#options.domain,
      metadata: { rpc },
    });
  }
}
