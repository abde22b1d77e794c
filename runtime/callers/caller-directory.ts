import { hash } from 'node:crypto';
import type { ClientCertificate } from '../client-certificate.ts';
import type { Authenticator } from './access-control.ts';
import type { Caller } from './caller.ts';
import type { FileCallers } from './file-callers.ts';

/** API keys by the SHA-256 of their text, 64 hex digits. Looking a digest up tells a timer nothing about the key. */
export interface ApiKeys {
  find(digest: string): Caller | undefined;
}

export interface CallerDirectoryOptions {
  /** Keys of the settings. */
  readonly configured: ApiKeys;
  /** Keys made by CallerService. */
  readonly managed: ApiKeys | undefined;
  /** What the callers file says now. */
  readonly file: () => FileCallers | undefined;
}

/** `Bearer`, in any case (RFC 9110 section 11.1), and one token68 or printable key. */
const BEARER = /^bearer +(\S+) *$/i;

/**
 * All callers of a service, by API key, signed service token and client certificate. Whoever sends an authorization
 * header is judged by it alone: one that is not good is refused, whatever certificate came with it.
 */
export class CallerDirectory implements Authenticator {
  readonly #options: CallerDirectoryOptions;

  constructor(options: CallerDirectoryOptions) {
    this.#options = options;
  }

  authenticate(
    authorization: string | undefined,
    certificateOf: () => ClientCertificate | undefined,
  ): Caller | undefined | Promise<Caller | undefined> {
    if (authorization !== undefined) return this.#byAuthorization(authorization);
    const certificates = this.#options.file()?.certificates;
    if (certificates === undefined) return undefined;
    const certificate = certificateOf();
    return certificate === undefined ? undefined : certificates.find(certificate);
  }

  callersOf(rpc: string): ReadonlySet<string> | undefined {
    return this.#options.file()?.callersOf(rpc);
  }

  #byAuthorization(authorization: string): Caller | undefined | Promise<Caller | undefined> {
    const credential = BEARER.exec(authorization)?.[1];
    if (credential === undefined) return undefined;
    const { configured, managed, file } = this.#options;
    const digest = hash('sha256', credential, 'hex');
    const ofFile = file();
    return (
      configured.find(digest) ??
      managed?.find(digest) ??
      ofFile?.keys.get(digest) ??
      ofFile?.tokens?.authenticate(credential, digest)
    );
  }
}
