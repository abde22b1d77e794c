import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];

/** Makes `<name>.key` and `<name>.crt` of a certificate authority. */
export function makeAuthority(directory: string, name: string): void {
  const path = (suffix: string) => join(directory, `${name}.${suffix}`);
  openssl('req', '-x509', ...NEW_KEY, '-subj', `/CN=${name}`, '-keyout', path('key'), '-out', path('crt'));
}

/** Makes `<name>.key` and `<name>.crt`, for 127.0.0.1, signed by an authority of the directory. */
export function makeCertificate(directory: string, name: string, authority: string): void {
  const path = (file: string) => join(directory, file);
  openssl(
    ...['req', '-x509', ...NEW_KEY, '-subj', `/CN=${name}`],
    ...['-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=critical,CA:FALSE'],
    ...['-CA', path(`${authority}.crt`), '-CAkey', path(`${authority}.key`)],
    ...['-keyout', path(`${name}.key`), '-out', path(`${name}.crt`)],
  );
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
