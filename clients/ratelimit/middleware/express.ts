import { finished } from 'node:stream';
import type { Request, RequestHandler, Response } from 'express';
import { nodeFacts } from '../../http/node-facts.ts';
import { type HttpLimitOptions, limitRequest } from './limit-request.ts';

/**
 * Limits requests of Express. Where the limiter gives no answer, LimitCheckFailed goes to Express's error handlers.
 *
 * Behind a proxy, name it in `byIp({ trustedProxies })`; Express's own `trust proxy` is not looked at.
 *
 * @throws TypeError as limitRequest() does
 *
 * @example
 * const key = byIp({ trustedProxies: ['10.0.0.0/8'] });
 * app.use('/orders', limitRequests({ limiter, endpoint: 'orders', key }));
 */
export function limitRequests(options: HttpLimitOptions<Request>): RequestHandler {
  const limit = limitRequest(options);
  return (request, response, next) => {
    const answered = async () => {
      const outcome = await limit(request, nodeFacts(request, request.originalUrl));
      if (!outcome.pass) {
        const { status, headers, body } = outcome.answer;
        response.statusCode = status;
        setHeaders(response, headers);
        response.end(body);
        return true;
      }
      const { headers, ended } = outcome;
      if (ended !== undefined) finished(response, (error) => ended(error ? undefined : response.statusCode));
      setHeaders(response, headers);
      return false;
    };
    answered().then((done) => {
      if (!done) next();
    }, next);
  };
}

function setHeaders(response: Response, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}
