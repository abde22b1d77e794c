import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { TlsOptions } from './tls-settings.ts';

/** What the ports' TLS files hold. */
export interface TlsContents {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | undefined;
}

/** Contents that can be used together: the key is the certificate's. */
export interface TlsFiles extends TlsContents {
  /** The certificate itself, the first of its file. */
  readonly certificate: X509Certificate;
}

/** The ports' TLS files can't be used. The message is one line that starts with the setting of the file to look at. */
export class InvalidTlsFiles extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InvalidTlsFiles';
  }
}

/**
 * Reads the files. Synchronous, as they are small.
 *
 * @throws InvalidTlsFiles
 */
export function readTlsFiles({ certFile, keyFile, clientCaFile }: TlsOptions): TlsContents {
  return {
    cert: contentOf('TLS_CERT_FILE', certFile),
    key: contentOf('TLS_KEY_FILE', keyFile),
    clientCa: clientCaFile === undefined ? undefined : contentOf('TLS_CLIENT_CA_FILE', clientCaFile),
  };
}

/**
 * Checks that contents can be used, and together.
 *
 * @throws InvalidTlsFiles. Its text repeats nothing of them.
 */
export function checkTlsFiles(contents: TlsContents): TlsFiles {
  const { cert, key, clientCa } = contents;
  const [certificate] = certificatesOf('TLS_CERT_FILE', cert);
  if (!certificate.checkPrivateKey(privateKey(key))) {
    throw new InvalidTlsFiles('TLS_KEY_FILE must hold the private key of the certificate in TLS_CERT_FILE');
  }
  if (Number.isNaN(certificate.validToDate.getTime())) {
    throw new InvalidTlsFiles('TLS_CERT_FILE holds a certificate whose end is no time');
  }
  if (clientCa !== undefined) certificatesOf('TLS_CLIENT_CA_FILE', clientCa);
  try {
    createSecureContext({ cert, key, ...(clientCa === undefined ? {} : { ca: clientCa }) });
  } catch (error) {
    // For example a key that is too short for OpenSSL's security level.
    throw new InvalidTlsFiles(`TLS_CERT_FILE can't be used: ${(error as NodeJS.ErrnoException).code}`);
  }
  return { ...contents, certificate };
}

function contentOf(env: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new InvalidTlsFiles(`${env} must name a file that can be read (${code})`);
  }
}

/** Each of them is read, because OpenSSL passes over what follows the last whole one: half a chain, say. */
function certificatesOf(env: string, pem: string): [X509Certificate, ...X509Certificate[]] {
  const blocks = pem.split(/(?=-----BEGIN )/).filter((block) => block.startsWith('-----BEGIN '));
  try {
    const [first, ...others] = blocks.map((block) => new X509Certificate(block));
    if (first !== undefined) return [first, ...others];
  } catch {
    // What OpenSSL says is of no use to anybody, and the file may hold anything.
  }
  throw new InvalidTlsFiles(`${env} must name a file that holds certificates in PEM and nothing else`);
}

function privateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new InvalidTlsFiles('TLS_KEY_FILE must name a file that holds a private key in PEM, not encrypted');
  }
}
