import { forwardedAddresses } from '../../clients/http/forwarded.ts';
import type { IpAddress } from '../../clients/http/ip-address.ts';
import type { HttpAnswer } from '../../clients/http/problem.ts';
import type { RouteRequest } from '../http-route.ts';
import { GatewayMisconfigured } from './gateway-misconfigured.ts';

/** How a kind of gateway tells of the request that it asks about, and what it makes of an answer. */
export interface Gateway {
  /** The headers that it tells the request by; it has to set each, so that no client's own gets through. */
  readonly headers: {
    readonly method: string;
    readonly uri: string;
    readonly host: string;
    /** Of the client's address: the last entry is the gateway's own word. */
    readonly address: string;
  };
  /** Whether the header of the address lists those of proxies before the gateway too. */
  readonly listsProxies: boolean;
  /** The answer in the form that it understands. */
  readonly adapt: (answer: HttpAnswer) => HttpAnswer;
}

/**
 * nginx's `auth_request` (ngx_http_auth_request_module): it lets a request go on for any 2xx, refuses it for 401 and 403,
 * and takes whatever else for a failure. Further refusals are a 403, and `x-auth-status` has what they are.
 */
export const nginx: Gateway = {
  headers: {
    method: 'x-original-method',
    uri: 'x-original-uri',
    host: 'x-original-host',
    address: 'x-real-ip',
  },
  listsProxies: false,
  adapt: ({ status, headers, body }) => ({
    status: status === 429 || status === 503 ? 403 : status,
    headers: { ...headers, 'x-auth-status': String(status) },
    body,
  }),
};

/** Traefik's ForwardAuth, Caddy's `forward_auth`, and HAProxy told to send these headers: answers are passed on as they are. */
export const traefik: Gateway = {
  headers: {
    method: 'x-forwarded-method',
    uri: 'x-forwarded-uri',
    host: 'x-forwarded-host',
    address: 'x-forwarded-for',
  },
  listsProxies: true,
  adapt: (answer) => answer,
};

/** The request that a gateway asks about, as it came. */
export interface ToldRequest {
  /** In upper case. */
  readonly method: string;
  /** As in a header `host`: the client's choice. */
  readonly authority: string;
  /** Without its query: the client's choice. */
  readonly path: string;
  /** Several joined by `, `; undefined where there is none. */
  readonly authorization: string | undefined;
}

/** @throws GatewayMisconfigured naming a header that the gateway has to set once */
export function toldRequest({ headers: { method, uri, host } }: Gateway, request: RouteRequest): ToldRequest {
  const authorization = request.header('authorization');
  return {
    method: onlyValue(request, method).toUpperCase(),
    authority: onlyValue(request, host),
    path: onlyValue(request, uri).split('?', 1)[0] as string,
    authorization: authorization.length === 0 ? undefined : authorization.join(', '),
  };
}

/**
 * The address of the client.
 *
 * @param hops how many proxies stand before the gateway and are trusted to have told it: each has one entry of the list.
 *   A list that is shorter counts from its first.
 * @throws GatewayMisconfigured naming the header where it has no address
 */
export function clientAddress(
  { headers: { address: name }, listsProxies }: Gateway,
  request: RouteRequest,
  hops: number,
): IpAddress {
  const value = listsProxies ? request.header(name).join(',') : onlyValue(request, name);
  let address: IpAddress | undefined;
  let at = 0;
  for (const entry of forwardedAddresses(name, value)) {
    address = entry;
    // What stands further left is the client's own, and may be long.
    if (at === hops) break;
    at += 1;
  }
  const isOne = listsProxies || !value.includes(',');
  if (address === undefined || !isOne) throw new GatewayMisconfigured(`${name} has no IP address`);
  return address;
}

function onlyValue(request: RouteRequest, name: string): string {
  const [value = '', second] = request.header(name);
  if (value === '') throw new GatewayMisconfigured(`${name} is not set`);
  if (second !== undefined) throw new GatewayMisconfigured(`${name} is there twice`);
  return value;
}
