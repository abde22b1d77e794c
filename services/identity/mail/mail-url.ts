import { isIPv4 } from 'node:net';
import { fileURLToPath } from 'node:url';

/** A server that takes mails. */
export interface SmtpServer {
  readonly kind: 'smtp';
  readonly host: string;
  readonly port: number;
  /** `implicit`: TLS from the first byte (RFC 8314). `starttls`: required. `none`: on this machine only. */
  readonly tls: 'implicit' | 'starttls' | 'none';
  readonly login: { readonly user: string; readonly password: string } | null;
}

/** Where mails go. */
export type MailTarget = SmtpServer | { readonly kind: 'file'; readonly directory: string };

/**
 * Reads MAIL_URL: `smtp://user:password@host:587`, `smtps://user:password@host:465` or `file:///directory`. Plain SMTP
 * needs STARTTLS, except to a loopback address.
 *
 * @throws Error whose message continues a sentence that starts with the setting's name, and repeats nothing of it.
 */
export function parseMailUrl(text: string): MailTarget {
  const url = URL.parse(text);
  if (url?.protocol === 'file:' && url.host === '' && url.pathname.length > 1) {
    return { kind: 'file', directory: fileURLToPath(url) };
  }
  const isPlain = url?.protocol === 'smtp:';
  if (url === null || !(isPlain || url.protocol === 'smtps:') || url.hostname === '') {
    throw new Error(
      'must be smtp://user:password@host:587, smtps://user:password@host:465 or file:///directory',
    );
  }
  if (!['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '') {
    throw new Error('must end with the port');
  }
  if ((url.username === '') !== (url.password === ''))
    throw new Error('must have a user and a password, or neither');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return {
    kind: 'smtp',
    host,
    port: url.port === '' ? (isPlain ? 587 : 465) : Number(url.port),
    tls: isPlain ? (isLoopback(host) ? 'none' : 'starttls') : 'implicit',
    login:
      url.username === ''
        ? null
        : { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) },
  };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}
