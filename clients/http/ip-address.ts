import { isIP } from 'node:net';

/** An IP address in one normal form, so that each client has one. */
export interface IpAddress {
  readonly family: 'ipv4' | 'ipv6';
  /** As RFC 5952 writes it. No zone; an IPv4 address that was mapped into IPv6 is IPv4. */
  readonly text: string;
}

/** Reads an address, alone in its text; undefined where it is none. A zone (`%eth0`) is left out. */
export function parseIp(text: string): IpAddress | undefined {
  const address = text.replace(/%.*$/s, '');
  const version = isIP(address);
  if (version === 0) return undefined;
  if (version === 4) return { family: 'ipv4', text: address };
  const groups = groupsOf(address);
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return { family: 'ipv4', text: dotted(groups[6] ?? 0, groups[7] ?? 0) };
  return { family: 'ipv6', text: ipv6Text(groups) };
}

/**
 * The network that an address is in: `2001:db8:1:2::/64`. An IPv4 address stays as it is.
 *
 * @param ipv6Prefix length in bits, 1 to 128
 */
export function networkOf({ family, text }: IpAddress, ipv6Prefix: number): string {
  if (family === 'ipv4' || ipv6Prefix === 128) return text;
  const masked = groupsOf(text).map((group, index) => {
    const bits = Math.min(16, Math.max(0, ipv6Prefix - index * 16));
    return group & ~(0xffff >> bits);
  });
  return `${ipv6Text(masked)}/${ipv6Prefix}`;
}

/** The eight groups of an IPv6 address that isIP() has accepted. */
function groupsOf(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const left = parseGroups(head);
  if (tail === undefined) return left;
  const right = parseGroups(tail);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function parseGroups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function dotted(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** RFC 5952: the first of the longest runs of two or more zero groups becomes `::`. */
function ipv6Text(groups: readonly number[]): string {
  let start = 0;
  let length = 0;
  for (let from = 0; from < 8; from += 1) {
    let to = from;
    while (to < 8 && groups[to] === 0) to += 1;
    if (to - from > length) [start, length] = [from, to - from];
  }
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  if (length < 2) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}
