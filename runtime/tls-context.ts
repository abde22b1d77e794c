import { constants } from 'node:crypto';
import type { TlsOptions as NodeTlsOptions, SecureContextOptions } from 'node:tls';
import type { TlsContents } from './tls-files.ts';
import type { TlsOptions } from './tls-settings.ts';

/** A client that has not finished its handshake after this is cut off. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * Forward secrecy and authenticated encryption only: those of RFC 9325 section 4.2, which are also the ones that HTTP/2
 * does not prohibit (RFC 9113 section 9.2.2).
 */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** What a server of Node is made with. */
export function tlsServerOptions(
  options: TlsOptions,
  files: TlsContents,
  alpnProtocols: readonly string[],
): NodeTlsOptions {
  return {
    ...tlsContext(options, files),
    ALPNProtocols: [...alpnProtocols],
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    requestCert: options.clientAuth !== 'off',
    rejectUnauthorized: options.clientAuth === 'required',
  };
}

/** What new connections of a server begin with. A server that is given another one forgets all of the former. */
export function tlsContext(
  { minVersion }: TlsOptions,
  { cert, key, clientCa }: TlsContents,
): SecureContextOptions {
  return {
    cert,
    key,
    ...(clientCa === undefined ? {} : { ca: clientCa }),
    minVersion,
    ciphers: CIPHERS,
    honorCipherOrder: true,
    // A resumed session would bring a client certificate that was verified before, against an authority that may be gone
    // since, and past its end.
    secureOptions:
      constants.SSL_OP_NO_RENEGOTIATION | (clientCa === undefined ? 0 : constants.SSL_OP_NO_TICKET),
  };
}
