import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { type ChannelCredentials, credentials } from '@grpc/grpc-js';

/** How a client speaks TLS. */
export interface ClientTls {
  /** Certificates (PEM) of the authorities that the server's certificate may come from. Default: those that Node knows. */
  readonly ca?: string | Buffer | undefined;
  /** The certificate (PEM) that this client shows where the server asks for one, and what leads to its authority. */
  readonly cert?: string | Buffer | undefined;
  /** The private key (PEM) of `cert`. */
  readonly key?: string | Buffer | undefined;
  /** The name that the server's certificate must be for. Default: the host of the address. */
  readonly serverName?: string | undefined;
}

/**
 * grpc-js's credentials for TLS 1.2 or newer; `true` trusts the authorities that Node knows.
 *
 * @throws TypeError where only one of certificate and key is given; Error of OpenSSL where one of them is no PEM
 */
export function tlsCredentials(tls: ClientTls | true): ChannelCredentials {
  const { ca, cert, key } = tls === true ? {} : tls;
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError('a client certificate needs its private key, and the key its certificate');
  }
  const options: SecureContextOptions = { minVersion: 'TLSv1.2' };
  if (ca !== undefined) options.ca = ca;
  if (cert !== undefined) options.cert = cert;
  if (key !== undefined) options.key = key;
  return credentials.createFromSecureContext(createSecureContext(options));
}
