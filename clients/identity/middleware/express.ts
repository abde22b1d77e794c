import type { Request, RequestHandler, Response } from 'express';
import { nodeFacts } from '../../http/node-facts.ts';
import type { HttpAnswer } from '../../http/problem.ts';
import type { VerifiedToken } from '../verified-token.ts';
import { type AuthenticationOptions, authenticateRequest, authenticationOf } from './authenticate-request.ts';
import { refusalAnswer } from './refusal-answer.ts';
import { identityOfRequest, refusalByIdentity, rememberIdentity } from './request-identities.ts';
import { checkedRequirement, type Requirement } from './requirement.ts';

/**
 * Express middleware that verifies access tokens: what is not good is answered with 401, 403 or 503; handlers read whose
 * request it is by `identityOf`. It stands behind middleware that answers preflight requests, which have no token.
 *
 * @throws TypeError for options that can't be meant so
 *
 * @example
 * app.use(authenticate({ verifier }));
 * app.delete('/orders/:id', requireIdentity({ roles: ['admin'], acr: 'aal2' }), (request, response) => {
 *   const userId = identityOf(request)?.userId;
 */
export function authenticate(options: AuthenticationOptions): RequestHandler {
  const authentication = authenticationOf(options);
  const { realm } = authentication;
  return async (request, response, next) => {
    const outcome = await authenticateRequest(nodeFacts(request), authentication);
    if (outcome.refusal !== undefined) {
      send(response, refusalAnswer(outcome.refusal, realm));
      return;
    }
    rememberIdentity(request, { identity: outcome.identity, realm });
    next();
  };
}

/**
 * What a route asks beyond `authenticate`, which comes before it.
 *
 * @throws TypeError for a requirement that can't be meant so
 */
export function requireIdentity(requirement: Requirement = {}): RequestHandler {
  checkedRequirement(requirement);
  return (request, response, next) => {
    const answer = refusalByIdentity(request, requirement);
    if (answer === undefined) next();
    else send(response, answer);
  };
}

/** Whose request it is; undefined where it is nobody's, or `authenticate` did not run. */
export function identityOf(request: Request): VerifiedToken | undefined {
  return identityOfRequest(request);
}

function send(response: Response, { status, headers, body }: HttpAnswer): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
}
