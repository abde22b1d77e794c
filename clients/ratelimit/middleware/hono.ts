import type { ServerResponse } from 'node:http';
import { finished } from 'node:stream';
import type { Context, Env, MiddlewareHandler } from 'hono';
import { fetchFacts } from '../../http/fetch-facts.ts';
import { type HttpLimitOptions, limitRequest } from './limit-request.ts';

/** What Hono's middleware limits, and how. */
export interface HonoLimitOptions<E extends Env> extends HttpLimitOptions<Context<E>> {
  /** The peer's address. Default: as @hono/node-server knows it. Other servers have their `getConnInfo` for this. */
  readonly remoteAddress?: ((context: Context<E>) => string | undefined) | undefined;
}

/** What @hono/node-server binds. */
interface NodeBindings {
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string | undefined } };
  readonly outgoing?: ServerResponse;
}

/**
 * Limits requests of Hono. Where the limiter gives no answer, LimitCheckFailed goes to the application's `onError`.
 *
 * On servers other than Node's a request is over, for `refundOn` and for leases, when its handler has answered, even if
 * the body is still under way.
 *
 * @throws TypeError as limitRequest() does
 *
 * @example
 * app.use('/orders/*', limitRequests({ limiter, endpoint: 'orders', key: byIp() }));
 */
// biome-ignore lint/suspicious/noExplicitAny: as Hono's own types have it where no environment is named
export function limitRequests(options: HonoLimitOptions<any>): MiddlewareHandler<any>;
/** With the types of the application's environment: `limitRequests<AppEnv>({ ... })`. */
export function limitRequests<E extends Env>(options: HonoLimitOptions<E>): MiddlewareHandler<E>;
export function limitRequests<E extends Env>(options: HonoLimitOptions<E>): MiddlewareHandler<E> {
  const limit = limitRequest(options);
  const { remoteAddress = nodeAddress } = options;
  return async (context, next) => {
    const outcome = await limit(context, fetchFacts(context.req.raw, remoteAddress(context)));
    if (!outcome.pass) {
      const { status, headers, body } = outcome.answer;
      return new Response(body, { status, headers });
    }
    const { ended } = outcome;
    const { outgoing } = nodeBindings(context);
    if (ended !== undefined && outgoing !== undefined) {
      finished(outgoing, (error) => ended(error ? undefined : outgoing.statusCode));
    }
    await next();
    // Not before: a Response that the handler has made itself would not have them.
    for (const [name, value] of Object.entries(outcome.headers)) context.header(name, value);
    if (outgoing === undefined) ended?.(context.res.status);
    return undefined;
  };
}

function nodeAddress<E extends Env>(context: Context<E>): string | undefined {
  return nodeBindings(context).incoming?.socket?.remoteAddress;
}

function nodeBindings<E extends Env>(context: Context<E>): NodeBindings {
  // Undefined where an application is called without a server, as in tests by app.request().
  return (context.env as NodeBindings | undefined) ?? {};
}
