import { networkOf } from '../../clients/http/ip-address.ts';
import { headerIdentifier } from '../../clients/ratelimit/identifier.ts';
import type { RouteRequest } from '../http-route.ts';
import { clientAddress, type Gateway } from './gateway.ts';
import { GatewayMisconfigured } from './gateway-misconfigured.ts';

/** The parameters that {@link limitQuestion} reads. */
export const LIMIT_PARAMETERS = ['limit', 'by', 'cost', 'hops'] as const;

/** What the limiter is to be asked. */
export interface LimitQuestion {
  readonly endpoint: string;
  /** Units that the request takes. */
  readonly cost: number;
  readonly by: 'user' | 'ip' | { readonly header: string };
  /** How many proxies before the gateway are trusted. */
  readonly hops: number;
}

const ENDPOINT = /^[A-Za-z0-9_.:/-]{1,128}$/;
const HEADER_NAME = /^[a-z0-9-]{1,64}$/;
const MAX_COST = 4_294_967_295;
const MAX_HOPS = 16;

/**
 * What a gateway wants limited: `limit=<endpoint>`, `by=user|ip|header:<name>`, `cost=<units>`, `hops=<trusted proxies>`.
 * Undefined where it has no `limit`.
 *
 * @throws GatewayMisconfigured naming the parameter that can't be read
 */
export function limitQuestion(
  parameters: ReadonlyMap<string, string>,
  options: { readonly gateway: Gateway; readonly knowsUsers: boolean },
): LimitQuestion | undefined {
  const endpoint = parameters.get('limit');
  if (endpoint === undefined) {
    const alone = LIMIT_PARAMETERS.find((name) => parameters.has(name));
    if (alone !== undefined) throw new GatewayMisconfigured(`${alone} says nothing without limit`);
    return undefined;
  }
  if (!ENDPOINT.test(endpoint)) {
    throw new GatewayMisconfigured('limit must be 1 to 128 of A-Z a-z 0-9 _ . : / -');
  }
  if (parameters.has('hops') && !options.gateway.listsProxies) {
    throw new GatewayMisconfigured(`hops says nothing of ${options.gateway.headers.address}`);
  }
  return {
    endpoint,
    cost: integer('cost', parameters.get('cost') ?? '1', 1, MAX_COST),
    by: subject(parameters.get('by'), options.knowsUsers),
    hops: integer('hops', parameters.get('hops') ?? '0', 0, MAX_HOPS),
  };
}

/**
 * Who is limited: `user:<id>`, `ip:<address>` (of IPv6 the /64: one subscriber has at least that many addresses, RFC 6177),
 * or `<header>:<value>`. The address stands in where there is no user, or the header was not sent.
 *
 * Values are as headerIdentifier() has them: of a credential its SHA-256.
 *
 * @throws GatewayMisconfigured where the address is needed and the gateway does not tell it
 */
export function limitIdentifier(
  { by, hops }: LimitQuestion,
  gateway: Gateway,
  request: RouteRequest,
  userId: string | undefined,
): string {
  if (by === 'user' && userId !== undefined) return `user:${userId}`;
  const value = typeof by === 'object' ? request.header(by.header).join(', ').trim() : '';
  if (typeof by === 'object' && value !== '') return headerIdentifier(by.header, value);
  return `ip:${networkOf(clientAddress(gateway, request, hops), 64)}`;
}

function subject(text: string | undefined, knowsUsers: boolean): LimitQuestion['by'] {
  if (text === undefined) return knowsUsers ? 'user' : 'ip';
  if (text === 'ip' || (text === 'user' && knowsUsers)) return text;
  const [, header = ''] = /^header:(.+)$/.exec(text.toLowerCase()) ?? [];
  if (HEADER_NAME.test(header)) return { header };
  throw new GatewayMisconfigured(`by must be ${knowsUsers ? 'user, ' : ''}ip or header:<name>`);
}

function integer(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new GatewayMisconfigured(`${name} must be an integer from ${least} to ${most}`);
}
