/** Names, addresses of IPv4, or one of IPv6 in brackets; nothing that an upstream might cut off of it. */
const AUTHORITY = /^(\[[\da-f:.]+\]|[\w-]+(?:\.[\w-]+)*)\.?(?::\d*)?$/i;

/** The host of a header `host` (or `:authority`), without port and in lower case; '' for what is none. */
export function hostName(authority: string): string {
  // `example.com.` is the same host, spelled from the root.
  return AUTHORITY.exec(authority.trim())?.[1]?.toLowerCase() ?? '';
}
