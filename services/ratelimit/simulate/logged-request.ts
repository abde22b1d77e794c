/** What one line of an access log says, as far as a limiter would have been asked about it. */
export interface LoggedRequest {
  /** µs since the epoch. */
  readonly timeMicros: number;
  /** Who is limited, for example `ip:203.0.113.9`; undefined where the line has nobody to count against. */
  readonly identifier: string | undefined;
  /** As written; '' where there is none. */
  readonly method: string;
  /** Without query and fragment; '' where the request had none that could be read. */
  readonly path: string;
  /** Units that it takes: 1 to 4,294,967,295. */
  readonly cost: number;
  readonly roles: readonly string[];
  /** How long the operation took, in µs; undefined where the line does not say. */
  readonly durationMicros: number | undefined;
}

/** Reads one line; or tells why it can't be read, without what stands in it. */
export type LineReader = (line: string) => LoggedRequest | string;

/** `/orders?id=1` and `http://host/orders` both are `/orders`. */
export function pathOf(target: string): string {
  const end = target.search(/[?#]/);
  const whole = end === -1 ? target : target.slice(0, end);
  return whole.startsWith('/') ? whole : whole.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '') || '/';
}

/** The first line of an HTTP request; empty texts where it is none, as what a port scan sends. */
export function readRequestLine(text: string): { readonly method: string; readonly path: string } {
  const [, method, target] = /^([A-Za-z_-]{1,32}) (\S+)(?: HTTP\/[\d.]+)?$/.exec(text) ?? [];
  return method === undefined || target === undefined
    ? { method: '', path: '' }
    : { method, path: pathOf(target) };
}
