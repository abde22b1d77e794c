import { BlockList, isIP } from 'node:net';
import { forwardedAddresses } from './forwarded.ts';
import type { HttpFacts } from './http-facts.ts';
import { type IpAddress, parseIp } from './ip-address.ts';

/** Whose word about a client's address is taken. */
export interface ClientIpOptions {
  /**
   * The proxies before this server: addresses and networks (`10.0.0.0/8`, `2001:db8::/32`), and `unix` for whoever
   * connects by a Unix socket. Default: none, and the header is not looked at.
   */
  readonly trustedProxies?: readonly string[] | undefined;
  /**
   * The header that those proxies **set or append to**, in lower case. One that they pass on as the client sent it lets
   * the client choose its address. `forwarded` is read as RFC 7239 has it, any other as a list of addresses. Default:
   * `x-forwarded-for`.
   */
  readonly header?: string | undefined;
}

/** No chain of proxies is longer; a header of thousands of entries is one that a client made. */
const MOST_HOPS = 64;

/**
 * Finds the client's address: the peer's or, while that is a trusted proxy, the one that it names in the header, and so
 * on from right to left, 64 times at most. An entry that is no address ends the walk at the last hop that is known.
 *
 * The address is in normal form, IPv4 where it was mapped into IPv6; undefined where the connection has none.
 *
 * @throws TypeError when a trusted proxy is not an address, a network or `unix`
 */
export function clientIp(options: ClientIpOptions = {}): (request: HttpFacts) => IpAddress | undefined {
  const { trustedProxies = [], header = 'x-forwarded-for' } = options;
  const trusts = trustOf(trustedProxies);
  const name = header.toLowerCase();
  return (request) => {
    const { remoteAddress } = request;
    let client = remoteAddress === undefined ? undefined : parseIp(remoteAddress);
    if (!trusts(client)) return client;
    let hops = 0;
    for (const hop of forwardedAddresses(name, request.header(name) ?? '')) {
      if (hop === undefined) break;
      client = hop;
      hops += 1;
      if (hops === MOST_HOPS || !trusts(client)) break;
    }
    return client;
  };
}

function trustOf(proxies: readonly string[]): (peer: IpAddress | undefined) => boolean {
  const list = new BlockList();
  for (const proxy of proxies) if (proxy !== 'unix') add(list, proxy);
  const trustsUnix = proxies.includes('unix');
  return (peer) => (peer === undefined ? trustsUnix : list.check(peer.text, peer.family));
}

function add(list: BlockList, proxy: string): void {
  const [, network = '', length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(proxy) ?? [];
  const address = parseIp(network);
  // A mapped network has its length counted in the bits of IPv6.
  const family = isIP(network) === 4 ? 'ipv4' : 'ipv6';
  const bits = family === 'ipv4' ? 32 : 128;
  const prefix = length === undefined ? bits : Number(length);
  if (address === undefined || address.family !== family || prefix > bits) {
    const expected = 'an address, a network (10.0.0.0/8) or "unix"';
    throw new TypeError(`trustedProxies: ${JSON.stringify(proxy)} is not ${expected}`);
  }
  list.addSubnet(address.text, prefix, family);
}
