import type { DescMethod } from '@bufbuild/protobuf';
import { Code, type ConnectError, type HandlerContext } from '@connectrpc/connect';
import { setCaller } from '../call-context.ts';
import { rpcError } from '../errors.ts';
import { methodName } from '../service-table.ts';
import type { Caller } from './caller.ts';
import { ANY_CALLER, type Policy } from './policy.ts';

/**
 * Lets the caller of one RPC in: answers who it is, undefined where authentication is off, and tells the context
 * (`callerOf`). A promise only where the credential takes time to check.
 *
 * @throws ConnectError UNAUTHENTICATED, PERMISSION_DENIED; or the promise rejects with it
 */
export type Guard = (context: HandlerContext) => Caller | undefined | Promise<Caller | undefined>;

/** Knows callers by what a call brings. */
export interface Authenticator {
  /** Undefined for a credential that is not good, and for none. */
  authenticate(context: HandlerContext): Caller | undefined | Promise<Caller | undefined>;
  /** The only callers that may use an RPC, where that is narrowed down. */
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
    const { policy, authenticator, adminRpcs } = this.#options;
    const rpc = methodName(method);
    const need = policy.needOf(rpc);
    const isOff = !adminRpcs && need !== undefined && policy.isAdmin(need);
    if (authenticator === undefined) {
      return () => {
        if (isOff) throw this.#adminRpcsOff(rpc);
        return undefined;
      };
    }
    const admit = (context: HandlerContext, caller: Caller | undefined): Caller => {
      if (caller === undefined) throw this.#unauthenticated();
      // Also where it is refused: the log is to say who.
      setCaller(context, caller);
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
    return (context) => {
      const caller = authenticator.authenticate(context);
      return caller instanceof Promise
        ? caller.then((known) => admit(context, known))
        : admit(context, caller);
    };
  }

  #unauthenticated(): ConnectError {
    return rpcError(Code.Unauthenticated, {
      message:
        'the call needs the credential of a known caller: authorization: Bearer <API key or service token>, or a client certificate',
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
