import { createContextKey, type HandlerContext } from '@connectrpc/connect';
import { GrpcContext } from './grpc-context.ts';
import { verifiedCertificate } from './tls-peer.ts';

/** A caller's certificate that was verified against TLS_CLIENT_CA_FILE when its connection was made. */
export interface ClientCertificate {
  /** SHA-256 of the certificate (DER): 64 hex digits, lower case, no colons. */
  readonly fingerprint256: string;
  /** Common name of the subject; null where it has none or several. */
  readonly commonName: string | null;
  /** `dNSName` entries of the subjectAltName (RFC 5280 section 4.2.1.6), as the certificate spells them. */
  readonly dnsNames: readonly string[];
  /** `uniformResourceIdentifier` entries, for example a SPIFFE ID. */
  readonly uris: readonly string[];
  /** Its `notAfter`, by Date.now(). A connection, and so what was verified when it was made, may outlive it. */
  readonly endsAt: number;
}

/** Set by the HTTP port where the connection has a verified certificate. */
export const clientCertificateKey = createContextKey<ClientCertificate | undefined>(undefined, {
  description: 'client certificate',
});

/**
 * The certificate of the connection that a call came over. Undefined without TLS, with TLS_CLIENT_AUTH=off, and where the
 * client showed none; one that does not verify never gets as far as a call.
 *
 * @param context the one that the transport made; of a stream too, not the one its handler is given.
 */
export function clientCertificateOf(context: HandlerContext): ClientCertificate | undefined {
  if (context instanceof GrpcContext) return verifiedCertificate(context.peerCertificate());
  return context.values.get(clientCertificateKey);
}
