import { type ClientIpOptions, clientIp } from '../../http/client-ip.ts';
import type { HttpFacts } from '../../http/http-facts.ts';
import { networkOf } from '../../http/ip-address.ts';
import { headerIdentifier, identifierOf } from '../identifier.ts';

/**
 * Tells against whom a request counts: an identifier as CheckLimit takes it, for example `user:4711`. Undefined: this
 * key has nobody for the request.
 *
 * @param request the framework's own: Express's Request, Hono's Context and so on
 * @param facts what is the same in every framework
 */
export type Key<Request> = (
  request: Request,
  facts: HttpFacts,
) => string | undefined | Promise<string | undefined>;

/** How addresses are found and counted. */
export interface ByIpOptions extends ClientIpOptions {
  /**
   * Clients with IPv6 count by their network of this many bits, since a customer has as many addresses as they like. 1
   * to 128; 128 counts each address by itself. Default: 64, what RFC 6177 gives one site at least.
   */
  readonly ipv6Prefix?: number | undefined;
}

/**
 * Counts by the client's address: `ip:203.0.113.9`, `ip:2001:db8:1:2::/64`. Clients whose address is unknown (a Unix
 * socket that no trusted proxy stands at) are counted together, as `ip:unknown`.
 *
 * @throws TypeError when a trusted proxy is not an address, a network or `unix`; RangeError for `ipv6Prefix`
 */
export function byIp<Request>({ ipv6Prefix = 64, ...options }: ByIpOptions = {}): Key<Request> {
  if (!Number.isInteger(ipv6Prefix) || ipv6Prefix < 1 || ipv6Prefix > 128) {
    throw new RangeError(`ipv6Prefix: ${ipv6Prefix} is not a whole number from 1 to 128`);
  }
  const find = clientIp(options);
  return (_, facts) => {
    const client = find(facts);
    return `ip:${client === undefined ? 'unknown' : networkOf(client, ipv6Prefix)}`;
  };
}

/** Counts by user: `user:<id>`. Nobody where `idOf` gives undefined or an empty text: the request brings no user. */
export function byUser<Request>(idOf: Key<Request>): Key<Request> {
  return async (request, facts) => {
    const id = await idOf(request, facts);
    return id === undefined || id === '' ? undefined : identifierOf('user', id);
  };
}

/**
 * Counts by a header's value: `<header>:<value>`, or by its SHA-256 where the header's name says that it is a credential
 * (`x-api-key`). For values that a gateway has set or verified: clients that can choose the value escape the limit.
 */
export function byHeader<Request>(header: string): Key<Request> {
  const name = header.toLowerCase();
  return (_, facts) => {
    const value = facts.header(name);
    return value === undefined || value === '' ? undefined : headerIdentifier(name, value);
  };
}

/** Counts by the first key that has somebody: by user and, where there is none, by address. */
export function firstOf<Request>(...keys: readonly Key<Request>[]): Key<Request> {
  return async (request, facts) => {
    for (const key of keys) {
      const found = await key(request, facts);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}
