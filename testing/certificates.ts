import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** What a certificate says. */
export interface CertificateContent {
  /** Default: its common name is the certificate's file name. As openssl writes it: `/CN=one/CN=two`. */
  readonly subject?: string;
  /** The subjectAltName, for example `DNS:a.example`. Default: the IP address 127.0.0.1. */
  readonly names?: readonly string[];
  /** Days from now to its end; -1 is one that ended yesterday. Default: 1. */
  readonly days?: number;
}

/** Makes `<name>.key` and `<name>.crt` of a certificate authority. */
export function makeAuthority(directory: string, name: string): void {
  const path = (suffix: string) => join(directory, `${name}.${suffix}`);
  const subject = ['-days', '1', '-subj', `/CN=${name}`];
  openssl('req', '-x509', ...NEW_KEY, ...subject, '-keyout', path('key'), '-out', path('crt'));
}

/** Makes `<name>.key` and `<name>.crt`, signed by an authority of the directory. */
export function makeCertificate(
  directory: string,
  name: string,
  authority: string,
  { subject = `/CN=${name}`, names = ['IP:127.0.0.1'], days = 1 }: CertificateContent = {},
): void {
  const path = (file: string) => join(directory, file);
  // In a section of its own a name may hold anything, commas too.
  const alternatives = names.map((text, index) => {
    const [, type, value] = /^(\w+):(.*)$/s.exec(text) ?? [];
    return `${type}.${index + 1} = ${value}`;
  });
  writeFileSync(
    path(`${name}.cnf`),
    [
      '[all]',
      'basicConstraints = critical, CA:FALSE',
      ...(names.length === 0 ? [] : ['subjectAltName = @names', '[names]', ...alternatives]),
      '',
    ].join('\n'),
  );
  const request = path(`${name}.csr`);
  openssl('req', '-new', ...NEW_KEY, '-subj', subject, '-keyout', path(`${name}.key`), '-out', request);
  openssl(
    ...['x509', '-req', '-in', request, '-out', path(`${name}.crt`), '-days', String(days)],
    ...['-CA', path(`${authority}.crt`), '-CAkey', path(`${authority}.key`), '-CAcreateserial'],
    ...['-extfile', path(`${name}.cnf`), '-extensions', 'all'],
  );
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
