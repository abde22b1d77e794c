/**
 * An upstream may take these as a separator though the rules do not, or the other way round; and a control character, or
 * an escape that is none, as anything. A query or a fragment is no part of a path.
 */
const UNSAFE = /[^\x21-\x7e]|[\\?#]|%(?:2f|5c|0[\da-f]|1[\da-f]|7f)|%(?![\da-f]{2})/i;
const ESCAPE = /%([\da-f]{2})/gi;
/** Decoded, they would be taken for what they are not: a second escape, or the beginning of a query. */
const KEPT = new Set(['%', '?', '#']);

/**
 * The ways in which an upstream may read a path (RFC 3986 section 6.2.2), without query: escapes of printable ASCII decoded,
 * others in upper case, dot segments resolved, repeated slashes one; case kept. Where it is read differently there
 * are several:
 * - with `;`: its segments with their parameters, and without them (RFC 3986 section 3.3; `/admin;x`, `/..;/admin`);
 * - with repeated slashes and dot segments: either of them taken away first (`/admin//../public`);
 * - with `//` at its beginning: what comes next as a host, which is no part of the path (RFC 3986 section 4.2), as by
 *   `new URL(path, base)`, for which `//x/admin` is `/admin`.
 *
 * Undefined for a path that can't be read safely: encoded slash, backslash, control character, bad escape, or escapes that
 * are no UTF-8.
 */
export function pathReadings(path: string): readonly string[] | undefined {
  const decoded = decodePath(path);
  if (decoded === undefined) return undefined;
  const forms = decoded.includes(';') ? [decoded, decoded.replace(/;[^/]*/g, '')] : [decoded];
  const readings = new Set<string>();
  for (const form of forms) {
    readings.add(resolveDots(mergeSlashes(form)));
    for (const path of [form, resolveDots(form)]) {
      readings.add(mergeSlashes(resolveDots(path)));
      if (path.startsWith('//')) readings.add(mergeSlashes(resolveDots(withoutHost(path))));
    }
  }
  return [...readings];
}

/**
 * The path of a rule in the form that {@link pathReadings} has. Undefined for one that no request's path could ever have:
 * dot segments, repeated slashes, a `*` inside, or what makes a path unsafe.
 *
 * @param path exact, or a prefix with a `*` at its end
 */
export function pathPattern(path: string): { readonly text: string; readonly isPrefix: boolean } | undefined {
  const isPrefix = path.endsWith('*');
  const written = isPrefix ? path.slice(0, -1) : path;
  if (written.includes('*') || !written.isWellFormed()) return undefined;
  const text = decodePath(encodeURI(written).replaceAll('%25', '%'));
  if (text === undefined) return undefined;
  // A prefix may end inside a segment: `/.*` is no dot segment.
  const whole = isPrefix ? `${text}x` : text;
  return resolveDots(mergeSlashes(whole)) === whole ? { text, isPrefix } : undefined;
}

function decodePath(path: string): string | undefined {
  if (!path.startsWith('/') || UNSAFE.test(path)) return undefined;
  try {
    decodeURIComponent(path);
  } catch {
    // Not UTF-8: overlong forms of `/` and `.` are among these.
    return undefined;
  }
  return path.replace(ESCAPE, (written, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[\x21-\x7e]/.test(character) && !KEPT.has(character) ? character : written.toUpperCase();
  });
}

function withoutHost(path: string): string {
  const rest = path.replace(/^\/+[^/]*/, '');
  return rest === '' ? '/' : rest;
}

function mergeSlashes(path: string): string {
  return path.replace(/\/{2,}/g, '/');
}

/** RFC 3986 section 5.2.4 */
function resolveDots(path: string): string {
  if (!path.includes('/.')) return path;
  const resolved: string[] = [];
  const segments = path.slice(1).split('/');
  const last = segments.pop() as string;
  for (const segment of segments) {
    if (segment === '..') resolved.pop();
    else if (segment !== '.') resolved.push(segment);
  }
  if (last === '..') resolved.pop();
  return `/${[...resolved, last === '.' || last === '..' ? '' : last].join('/')}`;
}
