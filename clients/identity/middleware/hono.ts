import type { Context, MiddlewareHandler } from 'hono';
import { fetchFacts } from '../../http/fetch-facts.ts';
import type { HttpAnswer } from '../../http/problem.ts';
import type { VerifiedToken } from '../verified-token.ts';
import { type AuthenticationOptions, authenticateRequest, authenticationOf } from './authenticate-request.ts';
import { refusalAnswer } from './refusal-answer.ts';
import { refusalByIdentity, rememberIdentity } from './request-identities.ts';
import { checkedRequirement, type Requirement } from './requirement.ts';

/** What `authenticate` sets, for the type of an application: `new Hono<IdentityEnv>()`. */
export interface IdentityEnv {
  readonly Variables: {
    /** Whose request it is; undefined where it is nobody's. */
    identity: VerifiedToken | undefined;
  };
}

/**
 * Hono middleware that verifies access tokens: what is not good is answered with 401, 403 or 503; handlers read whose
 * request it is by `c.get('identity')`. It stands behind middleware that answers preflight requests, which have no token.
 *
 * @throws TypeError for options that can't be meant so
 *
 * @example
 * const app = new Hono<IdentityEnv>();
 * app.use(authenticate({ verifier }));
 * app.delete('/orders/:id', requireIdentity({ roles: ['admin'] }), (c) => c.text(c.get('identity')?.userId ?? ''));
 */
export function authenticate(options: AuthenticationOptions): MiddlewareHandler<IdentityEnv> {
  const authentication = authenticationOf(options);
  const { realm } = authentication;
  return async (context, next) => {
    const outcome = await authenticateRequest(fetchFacts(context.req.raw, undefined), authentication);
    if (outcome.refusal !== undefined) return response(context, refusalAnswer(outcome.refusal, realm));
    rememberIdentity(context, { identity: outcome.identity, realm });
    context.set('identity', outcome.identity);
    return await next();
  };
}

/**
 * What a route asks beyond `authenticate`, which comes before it.
 *
 * @throws TypeError for a requirement that can't be meant so
 */
export function requireIdentity(requirement: Requirement = {}): MiddlewareHandler {
  checkedRequirement(requirement);
  return async (context, next) => {
    const answer = refusalByIdentity(context, requirement);
    return answer === undefined ? await next() : response(context, answer);
  };
}

/** By the context, so that headers which were set before, of CORS say, stay. */
function response(context: Context, { status, headers, body }: HttpAnswer): Response {
  return context.newResponse(body, { status: status as 401 | 403 | 503, headers: { ...headers } });
}
