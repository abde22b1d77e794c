/** The path of a request target, also of one in absolute form (RFC 9112 section 3.2.2); `/` where there is none. */
export function pathOf(target: string): string {
  const path = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '');
  return path === '' ? '/' : path;
}
