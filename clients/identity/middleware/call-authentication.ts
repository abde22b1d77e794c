import { Code } from '@connectrpc/connect';
import type { HttpFacts } from '../../http/http-facts.ts';
import {
  type Authentication,
  type AuthenticationOptions,
  type AuthenticationOutcome,
  authenticateRequest,
  authenticationOf,
} from './authenticate-request.ts';
import type { Refusal } from './refusal.ts';
import { checkedRequirement, type Requirement } from './requirement.ts';

/** What one method requires. `optional`: a good token or none. `none`: nothing is looked at, and everybody is nobody. */
export type MethodRequirement = Requirement | 'optional' | 'none';

/** How RPCs are authenticated. */
export interface CallAuthenticationOptions extends AuthenticationOptions {
  /**
   * What a method requires in place of `optional` and `requirement`, by its path, for example
   * `/grpc.health.v1.Health/Check`; undefined: nothing else than those say.
   */
  readonly requirementOf?: ((path: string) => MethodRequirement | undefined) | undefined;
}

/** Authenticates calls. @throws what `requirementOf` throws, and the verifier beside its own errors */
export type CallAuthenticator = (facts: HttpFacts) => Promise<AuthenticationOutcome>;

/** @throws TypeError for options that can't be meant so */
export function callAuthenticator(options: CallAuthenticationOptions): {
  readonly realm: string;
  readonly authenticate: CallAuthenticator;
} {
  const authentication = authenticationOf(options);
  return {
    realm: authentication.realm,
    async authenticate(facts) {
      const required = options.requirementOf?.(facts.path);
      if (required === 'none') return { identity: undefined };
      return await authenticateRequest(facts, withRequirement(authentication, required));
    },
  };
}

function withRequirement(
  authentication: Authentication,
  required: Requirement | 'optional' | undefined,
): Authentication {
  if (required === undefined) return authentication;
  if (required === 'optional') return { ...authentication, optional: true, requirement: {} };
  return { ...authentication, optional: false, requirement: checkedRequirement(required) };
}

/** The canonical code of a refusal. */
export function refusalCode({ error }: Refusal): Code {
  if (error === 'insufficient_scope') return Code.PermissionDenied;
  return error === 'temporarily_unavailable' ? Code.Unavailable : Code.Unauthenticated;
}
