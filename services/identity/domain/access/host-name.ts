/** The host of a header `host` (or `:authority`), without port and in lower case; '' for what is none. */
export function hostName(authority: string): string {
  const [, host = ''] = /^(\[[\da-f:.]+\]|[^:[\]@/\\\s]*)(?::\d*)?$/i.exec(authority.trim()) ?? [];
  // `example.com.` is the same host, spelled from the root.
  return host.toLowerCase().replace(/\.$/, '');
}
