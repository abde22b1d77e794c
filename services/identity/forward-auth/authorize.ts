import { Code, ConnectError } from '@connectrpc/connect';
import { problemAnswer } from '../../../clients/http/problem.ts';
import { type Authorize, goOn } from '../../../runtime/forward-auth/forward-auth-routes.ts';
import { type Gateway, toldRequest } from '../../../runtime/forward-auth/gateway.ts';
import { GatewayMisconfigured } from '../../../runtime/forward-auth/gateway-misconfigured.ts';
import { limitAnswer } from '../../../runtime/forward-auth/limit-answer.ts';
import {
  LIMIT_PARAMETERS,
  limitIdentifier,
  limitQuestion,
} from '../../../runtime/forward-auth/limit-question.ts';
import { readParameters } from '../../../runtime/forward-auth/parameters.ts';
import type { RouteRequest } from '../../../runtime/http-route.ts';
import { refusal } from '../access/refusal.ts';
import type { AccessRequirement, OriginalRequest } from '../domain/access/access.ts';
import { type AccessDeps, decideAccess } from '../domain/access/decide-access.ts';
import { readRequirement, UnreadableRequirement } from '../domain/access/gateway-requirement.ts';
import { hostName } from '../domain/access/host-name.ts';
import { identityHeaders } from '../domain/access/identity-headers.ts';
import type { GatewayLimiter } from '../limiter-client.ts';

export interface ForwardAuthDeps {
  readonly access: AccessDeps;
  readonly limiter: GatewayLimiter;
}

const REQUIREMENT_PARAMETERS = ['token', 'roles', 'acr', 'max_age'];
const PARAMETERS = [...REQUIREMENT_PARAMETERS, ...LIMIT_PARAMETERS];

/**
 * Compares the request with what its route requires and then, where the gateway names a limit, has it counted: in this
 * order, so that it can be counted against the user. What is refused for its token takes nothing of a limit.
 */
export function authorize({ access, limiter }: ForwardAuthDeps): Authorize {
  return async (gateway, request) => {
    const parameters = readParameters(request.query, PARAMETERS);
    const requirement = requirementOf(parameters);
    const question = limitQuestion(parameters, { gateway, knowsUsers: true });
    const original = originalRequest(gateway, request);
    if (original === undefined) return NO_HOST;
    const decision = await decideAccess(access, original, requirement);
    if (decision.outcome !== 'ALLOWED') return refusal(decision);
    const { token } = decision;
    const headers = identityHeaders(token);
    if (question === undefined) return goOn(headers);
    const { endpoint, cost } = question;
    const limited = await limiter
      .decide(
        {
          endpoint,
          identifier: limitIdentifier(question, gateway, request, token?.claims.sub),
          cost,
          roles: [...(token?.state.user.roles ?? [])],
        },
        request.signal,
      )
      .catch((error: unknown) => {
        throw unaskable(error);
      });
    return limited === undefined ? goOn(headers) : limitAnswer(limited, headers);
  };
}

/** A host that no rule could match by, though an upstream might make something of it. */
const NO_HOST = problemAnswer({
  status: 403,
  title: 'Forbidden',
  detail: 'The request must name a host.',
  members: { error: 'unsafe_host' },
});

function requirementOf(parameters: ReadonlyMap<string, string>): AccessRequirement | undefined {
  try {
    return readRequirement(
      new Map([...parameters].filter(([name]) => REQUIREMENT_PARAMETERS.includes(name))),
    );
  } catch (error) {
    if (error instanceof UnreadableRequirement) throw new GatewayMisconfigured(error.problem);
    throw error;
  }
}

function originalRequest(gateway: Gateway, request: RouteRequest): OriginalRequest | undefined {
  const { method, authority, path, authorization } = toldRequest(gateway, request);
  const host = hostName(authority);
  return host === '' ? undefined : { method, host, path, authorization };
}

/** A check that the limiter does not take is one that the gateway's parameters make: a cost above the limit, say. */
function unaskable(error: unknown): unknown {
  const isOwn = error instanceof ConnectError && error.code === Code.InvalidArgument;
  return isOwn ? new GatewayMisconfigured(error.rawMessage) : error;
}
