import { finished } from 'node:stream';
import type { FastifyReply, FastifyRequest, RawServerBase, RouteGenericInterface } from 'fastify';
import { nodeFacts } from '../../http/node-facts.ts';
import { type HttpLimitOptions, limitRequest } from './limit-request.ts';

/** A hook, `onRequest` or later. */
export type FastifyHook<Request, Reply> = (request: Request, reply: Reply) => Promise<Reply | undefined>;

type RequestOf<Server extends RawServerBase> = FastifyRequest<RouteGenericInterface, Server>;
type ReplyOf<Server extends RawServerBase> = FastifyReply<RouteGenericInterface, Server>;

/**
 * Limits requests of Fastify, as an `onRequest` or, where the key needs what later hooks find out, a `preHandler` hook
 * of all routes or of one. Where the limiter gives no answer, LimitCheckFailed goes to Fastify's error handler.
 *
 * Behind a proxy, name it in `byIp({ trustedProxies })`; Fastify's own `trustProxy` is not looked at.
 *
 * @throws TypeError as limitRequest() does
 *
 * @example
 * const onRequest = limitRequests({ limiter, endpoint: 'orders', key: byIp() });
 * app.get('/orders', { onRequest }, listOrders);
 */
export function limitRequests(
  options: HttpLimitOptions<FastifyRequest>,
): FastifyHook<FastifyRequest, FastifyReply>;
/** For servers that are not node:http's: `limitRequests<Http2Server>({ ... })`. */
export function limitRequests<Server extends RawServerBase>(
  options: HttpLimitOptions<RequestOf<Server>>,
): FastifyHook<RequestOf<Server>, ReplyOf<Server>>;
// biome-ignore lint/suspicious/noExplicitAny: what the two above say, of which neither is the other's
export function limitRequests(options: HttpLimitOptions<any>): FastifyHook<any, any> {
  const limit = limitRequest(options);
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const outcome = await limit(request, nodeFacts(request.raw));
    if (!outcome.pass) {
      const { status, headers, body } = outcome.answer;
      // Fastify would add a charset, which problem+json does not have, to a text.
      return reply.code(status).headers(headers).send(Buffer.from(body));
    }
    const { headers, ended } = outcome;
    if (ended !== undefined) {
      finished(reply.raw, (error) => ended(error ? undefined : reply.raw.statusCode));
    }
    reply.headers(headers);
    return undefined;
  };
}
