import { isIPv4, isIPv6 } from 'node:net';
import { accepted, type Parsed, rejected } from './parsed.ts';

/** An IPv4 or IPv6 address in its one canonical spelling. Made by {@link parseIpAddress} only. */
export type IpAddress = string & { readonly __brand: 'IpAddress' };

/** `::ffff:a.b.c.d` as the URL parser spells it: two groups of hexadecimal digits (RFC 4291 section 2.5.5.2). */
const MAPPED_IPV4 = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/**
 * Reads an address into one spelling (RFC 5952), so that one host is one key. IPv4-mapped IPv6 addresses, which
 * dual-stack sockets report, become the IPv4 address that they stand for. Zone indexes are refused.
 */
export function parseIpAddress(text: string): Parsed<IpAddress> {
  if (isIPv4(text)) return accepted(text as IpAddress);
  if (!isIPv6(text) || text.includes('%')) return rejected('must be an IPv4 or IPv6 address');
  const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const mapped = MAPPED_IPV4.exec(canonical);
  if (mapped === null) return accepted(canonical as IpAddress);
  const [high = 0, low = 0] = mapped.slice(1).map((group) => Number.parseInt(group, 16));
  return accepted([high >> 8, high & 255, low >> 8, low & 255].join('.') as IpAddress);
}

/**
 * What attempts are counted against: an IPv4 address itself, and of an IPv6 address its /64, because one subscriber
 * has at least that many addresses to choose from (RFC 6177).
 */
export function limitedNetwork(address: IpAddress): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - front.length - back.length;
  const groups = [...front, ...Array.from({ length: zeros }, () => '0'), ...back];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
