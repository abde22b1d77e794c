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

/** REDIS_URL, which both services read; `doc` says what for. */
export function redisUrlSetting(doc: string): Setting<string | undefined> {
  const form =
    'As `redis://user:password@host:port/number`, or `rediss://` for TLS. Production refuses the passwords of examples, but takes a URL without any: on a private network Redis is often run without.';
  return urlSetting('REDIS_URL', undefined, ['redis', 'rediss'], `${doc} ${form}`, redisUrlProblem);
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

/** What is wrong with the password of a Redis URL in production, as the end of the sentence "NAME …". */
export function redisPasswordProblem(text: string): string | undefined {
  return hasExamplePassword(new URL(text))
    ? 'has the password of an example, which everybody knows'
    : undefined;
}

function redisUrlProblem(url: URL): string | undefined {
  const numbers = [url.pathname.slice(1), ...url.searchParams.getAll('db')];
  return numbers.every((number) => /^\d*$/.test(number))
    ? undefined
    : 'must have the number of a database after the host, such as /0, or nothing';
}

/** Both drivers also take the password from the query. */
function passwords(url: URL): string[] {
  const all = [decodeURIComponent(url.password), ...url.searchParams.getAll('password')];
  return all.filter((password) => password !== '');
}

function hasExamplePassword(url: URL): boolean {
  return passwords(url).some((password) => EXAMPLE_PASSWORDS.has(password.toLowerCase()));
}

/** The driver takes a host that starts with a slash for the directory of a socket; the query's host goes first. */
function isUnixSocket(url: URL): boolean {
  const host = url.searchParams.getAll('host').at(-1) || decodeURIComponent(url.hostname);
  return host.startsWith('/');
}

function hasClientCertificate({ searchParams }: URL): boolean {
  return Boolean(searchParams.get('sslcert')) && !searchParams.getAll('sslmode').includes('disable');
}
