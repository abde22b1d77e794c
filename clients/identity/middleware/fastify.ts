import { type NodeRequest, nodeFacts } from '../../http/node-facts.ts';
import type { HttpAnswer } from '../../http/problem.ts';
import type { VerifiedToken } from '../verified-token.ts';
import { type AuthenticationOptions, authenticateRequest, authenticationOf } from './authenticate-request.ts';
import { refusalAnswer } from './refusal-answer.ts';
import { identityOfRequest, refusalByIdentity, rememberIdentity } from './request-identities.ts';
import { checkedRequirement, type Requirement } from './requirement.ts';

/** What is used of Fastify's requests, over HTTP/1.1 and HTTP/2 alike: its own types differ between the two. */
interface HookRequest {
  readonly raw: NodeRequest;
}

/** Also of replies whose route declares statuses and bodies, which a refusal is none of. */
interface HookReply {
  code(status: never): unknown;
  headers(values: Record<string, string>): unknown;
  send(body: never): unknown;
}

/** A hook of Fastify: `onRequest`, or a later one. */
export type IdentityHook = (request: HookRequest, reply: HookReply) => Promise<unknown>;

/**
 * A hook of Fastify that verifies access tokens: what is not good is answered with 401, 403 or 503; handlers read whose
 * request it is by `identityOf`. It comes behind hooks that answer preflight requests, which have no token.
 *
 * @throws TypeError for options that can't be meant so
 *
 * @example
 * app.addHook('onRequest', authenticate({ verifier }));
 * app.delete('/orders/:id', { onRequest: requireIdentity({ roles: ['admin'] }) }, async (request) => {
 *   const userId = identityOf(request)?.userId;
 */
export function authenticate(options: AuthenticationOptions): IdentityHook {
  const authentication = authenticationOf(options);
  const { realm } = authentication;
  return async (request, reply) => {
    const outcome = await authenticateRequest(nodeFacts(request.raw), authentication);
    if (outcome.refusal !== undefined) return send(reply, refusalAnswer(outcome.refusal, realm));
    rememberIdentity(request, { identity: outcome.identity, realm });
    return undefined;
  };
}

/**
 * A hook that asks for more than `authenticate`, which comes before it.
 *
 * @throws TypeError for a requirement that can't be meant so
 */
export function requireIdentity(requirement: Requirement = {}): IdentityHook {
  checkedRequirement(requirement);
  return async (request, reply) => {
    const answer = refusalByIdentity(request, requirement);
    return answer === undefined ? undefined : send(reply, answer);
  };
}

/** Whose request it is; undefined where it is nobody's, or `authenticate` did not run. */
export function identityOf(request: HookRequest): VerifiedToken | undefined {
  return identityOfRequest(request);
}

/** The reply, once sent, is what Fastify wants back: it ends the request there. */
function send(reply: HookReply, { status, headers, body }: HttpAnswer): HookReply {
  reply.code(status as never);
  reply.headers({ ...headers });
  reply.send(body as never);
  return reply;
}
