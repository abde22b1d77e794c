import * as tls from 'node:tls';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { type GrpcListener, type GrpcListenerOptions, openListener } from './grpc-listener.ts';
import type { TlsCertificates } from './tls-certificates.ts';

/**
 * Listens with TLS and hands the connections to grpc-js.
 *
 * grpc-js's own credentials set neither the least version nor the ciphers, forget both of them when a certificate is replaced,
 * drop a connection's failed handshake without a word, and parse the client's certificate for each call.
 *
 * @throws Error of the system where the port can't be opened.
 */
export async function listenWithTls(
  server: Server,
  options: GrpcListenerOptions & { readonly portEnv: string; readonly certificates: TlsCertificates },
): Promise<GrpcListener> {
  const { certificates } = options;
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = tls.createServer(certificates.serverOptions(['h2']));
  certificates.serve(listener, options.portEnv, (socket) => {
    // gRPC over TLS is HTTP/2 by ALPN; one that did not ask for it would be answered with nothing.
    if (socket.alpnProtocol === 'h2' && listener.listening) injector.injectConnection(socket);
    else socket.destroy();
  });
  return await openListener(listener, options);
}
