import { redisUrlProblem } from './redis-target.ts';
import { type Setting, urlSetting } from './settings.ts';

/** Passwords that examples and images use, in lower case: everybody knows them. */
const EXAMPLE_PASSWORDS: ReadonlySet<string> = new Set([
  'admin',
  'change-me',
  'changeme',
  'example',
  'foobared',
  'optix',
  'password',
  'postgres',
  'redis',
  'secret',
]);

/**
 * REDIS_URL, which both services read; `doc` says what for. Its value is the text: one URL, or several between commas
 * (see {@link redisUrls}).
 */
export function redisUrlSetting(doc: string): Setting<string | undefined> {
  const form =
    'As `redis://user:password@host:port/number`, or `rediss://` for TLS; several between commas are the sentinels or some nodes of the cluster (see REDIS_MODE), with user, password and number in the first. Production refuses the passwords of examples, but takes a URL without any: on a private network Redis is often run without.';
  const one = urlSetting('REDIS_URL', undefined, ['redis', 'rediss'], `${doc} ${form}`, redisUrlProblem);
  const parse = (text: string): string => {
    for (const url of redisUrls(text)) one.parse(url);
    return text;
  };
  return { ...one, parse };
}

/** The URLs of REDIS_URL. Commas within user names and passwords are written as %2C. */
export function redisUrls(text: string): readonly string[] {
  return text.split(',').map((url) => url.trim());
}

/** DATABASE_URL. */
export function postgresUrlSetting(): Setting<string | undefined> {
  return urlSetting(
    'DATABASE_URL',
    undefined,
    ['postgresql', 'postgres'],
    'The PostgreSQL database, version 15 or newer, as `postgresql://user:password@host:port/database`. Required. Production refuses the passwords of examples, and a URL without a password unless its host is a Unix socket or it names a client certificate (`sslcert`): otherwise such a URL works only where the server lets in whoever reaches it. PGPASSWORD and .pgpass do not count as a password.',
    (url) => (url.pathname.length > 1 ? undefined : 'must name a database after the host, such as /optix'),
  );
}

/** What is wrong with the password of a PostgreSQL URL in production, as the end of the sentence "NAME …". */
export function postgresPasswordProblem(text: string): string | undefined {
  const url = new URL(text);
  if (hasExamplePassword(url)) return 'has the password of an example, which everybody knows';
  if (passwords(url).length > 0 || isUnixSocket(url) || hasClientCertificate(url)) return undefined;
  return 'must have a password when ENVIRONMENT=production, or name a Unix socket or a client certificate (sslcert)';
}

/** What is wrong with the passwords of REDIS_URL in production, as the end of the sentence "NAME …". */
export function redisPasswordProblem(text: string): string | undefined {
  return redisUrls(text).some((url) => hasExamplePassword(new URL(url)))
    ? 'has the password of an example, which everybody knows'
    : undefined;
}

/**
 * What a production log should warn of: a PostgreSQL that is reached in cleartext, or without looking whether it is the right
 * one, over a network. Undefined where there is nothing to warn of. Reads `sslmode` as the driver does (docs/tls.md).
 */
export function plaintextDatabaseWarning(text: string): string | undefined {
  const url = new URL(text);
  const { searchParams } = url;
  const last = (name: string) => searchParams.getAll(name).at(-1) || undefined;
  if (isUnixSocket(url) || isLoopbackHost(last('host') ?? url.hostname)) return undefined;
  const mode = last('sslmode');
  const files = ['sslrootcert', 'sslcert', 'sslkey'].filter((name) => last(name) !== undefined);
  const isEncrypted = mode === undefined ? files.length > 0 || last('ssl') !== undefined : mode !== 'disable';
  if (!isEncrypted || (mode === undefined && /^(?:0|false)$/.test(last('ssl') ?? ''))) {
    return 'DATABASE_URL has no sslmode=verify-full: passwords and personal data travel in cleartext';
  }
  const asLibpq = last('uselibpqcompat') === 'true';
  const isUnverified =
    mode === 'no-verify' ||
    (mode === undefined && last('ssl') === 'no-verify') ||
    (asLibpq && (mode === 'prefer' || (mode === 'require' && !files.includes('sslrootcert'))));
  return isUnverified
    ? 'DATABASE_URL asks for TLS without verification: whoever gets in between can read and change everything'
    : undefined;
}

/** As {@link plaintextDatabaseWarning}, of REDIS_URL. */
export function plaintextRedisWarning(text: string): string | undefined {
  const isExposed = redisUrls(text)
    .map((url) => new URL(url))
    .some(({ protocol, hostname }) => protocol === 'redis:' && !isLoopbackHost(hostname));
  return isExposed ? 'REDIS_URL starts with redis://: its password and data travel in cleartext' : undefined;
}

function isLoopbackHost(host: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|\[?::1\]?)$/i.test(host);
}

/** Whether a password is one that examples and images use. */
export function isExamplePassword(password: string): boolean {
  return EXAMPLE_PASSWORDS.has(password.toLowerCase());
}

/** Both drivers also take the password from the query. */
function passwords(url: URL): string[] {
  const all = [decodeURIComponent(url.password), ...url.searchParams.getAll('password')];
  return all.filter((password) => password !== '');
}

function hasExamplePassword(url: URL): boolean {
  return passwords(url).some(isExamplePassword);
}

/** The driver takes a host that starts with a slash for the directory of a socket; the query's host goes first. */
function isUnixSocket(url: URL): boolean {
  const host = url.searchParams.getAll('host').at(-1) || decodeURIComponent(url.hostname);
  return host.startsWith('/');
}

function hasClientCertificate({ searchParams }: URL): boolean {
  return Boolean(searchParams.get('sslcert')) && !searchParams.getAll('sslmode').includes('disable');
}
