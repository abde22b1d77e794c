import { Code, type ConnectError } from '@connectrpc/connect';
import { type HttpAnswer, problemAnswer } from '../../clients/http/problem.ts';
import { ErrorInfoSchema, RequestInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';
import { rpcError } from '../errors.ts';
import type { GuardedRoute, RouteRequest } from '../http-route.ts';
import type { Logger } from '../logger.ts';
import { MisconfigurationLog } from '../misconfiguration-log.ts';
import { type Gateway, nginx, traefik } from './gateway.ts';
import { GatewayMisconfigured } from './gateway-misconfigured.ts';

/**
 * Says whether a request may go on that a gateway asks about: 200, or why not.
 *
 * @throws GatewayMisconfigured
 */
export type Authorize = (gateway: Gateway, request: RouteRequest) => Promise<HttpAnswer>;

export interface ForwardAuthOptions {
  readonly authorize: Authorize;
  readonly logger: Logger;
  /** The service in error details, for example `identity.optix`. */
  readonly errorDomain: string;
}

/** The endpoints that gateways ask, by path: `/forward-auth/nginx` and `/forward-auth/traefik`. */
export function forwardAuthRoutes(options: ForwardAuthOptions): Readonly<Record<string, GuardedRoute>> {
  return Object.fromEntries(
    Object.entries({ nginx, traefik }).map(([name, gateway]) => {
      const path = `/forward-auth/${name}`;
      return [path, forwardAuthRoute(`GET ${path}`, gateway, options)];
    }),
  );
}

/** The answer for a request that may go on. */
export function goOn(headers: Readonly<Record<string, string>>): HttpAnswer {
  return { status: 200, headers: { ...headers, 'cache-control': 'no-store' }, body: '' };
}

function forwardAuthRoute(
  policyEntry: string,
  gateway: Gateway,
  { authorize, logger, errorDomain }: ForwardAuthOptions,
): GuardedRoute {
  const misconfigurations = new MisconfigurationLog(logger, policyEntry);
  return {
    policyEntry,
    async answer(request) {
      try {
        return gateway.adapt(await authorize(gateway, request));
      } catch (error) {
        if (!(error instanceof GatewayMisconfigured)) throw error;
        misconfigurations.report(error.message);
        throw rpcError(Code.FailedPrecondition, {
          message: `the configuration of the gateway can not be used: ${error.message}`,
          reason: 'GATEWAY_MISCONFIGURED',
          domain: errorDomain,
          cause: error,
        });
      }
    },
    refuse: (error) => gateway.adapt(failure(error)),
  };
}

/**
 * What stands between a gateway and an answer, its own credential included. Never 401 or 403, which would pass for a
 * refusal of the client, who can do nothing about it.
 */
function failure(error: ConnectError): HttpAnswer {
  const unavailable = error.code === Code.Unavailable;
  const requestId = error.findDetails(RequestInfoSchema)[0]?.requestId;
  return problemAnswer({
    status: unavailable ? 503 : 500,
    title: unavailable ? 'Service Unavailable' : 'Internal Server Error',
    detail: error.rawMessage,
    members: {
      reason: error.findDetails(ErrorInfoSchema)[0]?.reason,
      ...(requestId === undefined ? {} : { request_id: requestId }),
    },
    ...(unavailable ? { headers: { 'retry-after': error.metadata.get('retry-after') ?? '1' } } : {}),
  });
}
