import { type IpAddress, parseIp } from './ip-address.ts';

/** `203.0.113.9:4711` and `[2001:db8::9]:4711`, as some proxies write addresses. */
const WITH_PORT = /^(?:\[([^\]]+)\]|([\d.]+))(?::\d{1,5})?$/;
/** One `for` of RFC 7239 section 4. A quoted text has no escapes where it is an address. */
const FOR = /^for=(?:"([^"\\]*)"|([^"\s]+))$/i;

/**
 * The addresses of a forwarding header, the nearest hop first; undefined for an entry that is no address (`unknown`,
 * `_hidden`, garbage).
 *
 * Read from the right, where the nearest proxy writes: what a client sends at the left, for example a quote without its
 * end, can't spoil what a proxy has appended.
 *
 * @param name `forwarded` is read as RFC 7239 has it, any other as a list of addresses like `x-forwarded-for`
 */
export function* forwardedAddresses(name: string, value: string): Generator<IpAddress | undefined> {
  const read = name === 'forwarded' ? forwardedFor : address;
  let end = value.length;
  while (end >= 0) {
    const comma = end === 0 ? -1 : value.lastIndexOf(',', end - 1);
    yield read(value.slice(comma + 1, end).trim());
    end = comma;
  }
}

function address(text: string): IpAddress | undefined {
  const match = WITH_PORT.exec(text);
  return parseIp(match?.[1] ?? match?.[2] ?? text);
}

/** An element names its client once. Part of a quoted text, say of a `host` with a comma in it, is no element. */
function forwardedFor(element: string): IpAddress | undefined {
  const quotes = element.split('"').length - 1;
  if (quotes % 2 === 1 || element.includes('\\')) return undefined;
  const named = element.split(';').filter((pair) => /^\s*for\s*=/i.test(pair));
  const match = named.length === 1 ? FOR.exec(named[0]?.trim() ?? '') : null;
  const node = match?.[1] ?? match?.[2];
  return node === undefined ? undefined : address(node);
}
