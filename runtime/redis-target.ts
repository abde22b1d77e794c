import type { SecureContextOptions } from 'node:tls';

/** Where the Redis (or Valkey) of a deployment is, and how to get in. */
export interface RedisTarget {
  readonly mode: 'single' | 'sentinel' | 'cluster';
  /** The server; the sentinels; some nodes of the cluster, which tell of the others. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** Number of the database; 0 in a cluster. */
  readonly database: number;
  /** User of the ACL. */
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** What the sentinels call the server, and their own password. */
  readonly sentinel: { readonly master: string; readonly password: string | undefined } | undefined;
  /** Unset: no TLS. */
  readonly tls: Pick<SecureContextOptions, 'ca' | 'cert' | 'key'> | undefined;
}

/** Of a URL's query the scheme's registration knows these two: https://www.iana.org/assignments/uri-schemes/prov/redis */
const QUERY = new Set(['db', 'password']);

/**
 * One server, as a URL names it: `redis[s]://[user:password@]host[:port][/database]`, port 6379 and database 0 unless
 * given; also `?password=` and `?db=`.
 *
 * @throws TypeError for another text, without repeating it: it may hold a password.
 */
export function singleRedis(text: string): RedisTarget {
  const url = URL.parse(text);
  const problem = url === null ? 'is no URL' : redisUrlProblem(url);
  if (url === null || problem !== undefined) {
    throw new TypeError(
      `not a Redis URL (redis[s]://[user:password@]host[:port][/database]): it ${problem ?? 'is none'}`,
    );
  }
  const password = url.password || url.searchParams.get('password') || '';
  return {
    mode: 'single',
    // IPv6 addresses stand in brackets in URLs only.
    nodes: [{ host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 6379) }],
    database: Number(url.pathname.slice(1) || url.searchParams.get('db')),
    username: url.username === '' ? undefined : decodeURIComponent(url.username),
    password: password === '' ? undefined : url.password === '' ? password : decodeURIComponent(password),
    sentinel: undefined,
    tls: url.protocol === 'rediss:' ? {} : undefined,
  };
}

/** What keeps a URL from naming a Redis, as the end of a sentence; undefined where nothing does. */
export function redisUrlProblem(url: URL): string | undefined {
  if (!/^rediss?:$/.test(url.protocol)) return 'must start with redis:// or rediss://';
  if (url.hostname === '') return 'must name a host';
  const numbers = [url.pathname.slice(1), ...url.searchParams.getAll('db')];
  if (!numbers.every((number) => /^\d*$/.test(number))) {
    return 'must have the number of a database after the host, such as /0, or nothing';
  }
  for (const name of url.searchParams.keys()) {
    if (!QUERY.has(name)) return 'must have nothing but db and password after its question mark';
  }
  return undefined;
}
