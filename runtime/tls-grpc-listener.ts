import type { AddressInfo, Socket } from 'node:net';
import * as tls from 'node:tls';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import type { TlsCertificates } from './tls-certificates.ts';

/** A port that speaks TLS for a grpc-js server. */
export interface TlsGrpcListener {
  readonly port: number;
  /** Takes no new connections; resolves once those that are open have ended. */
  close(): Promise<void>;
  /** Cuts off the connections that are still open, also in the middle of their handshake. */
  destroy(): void;
}

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
  options: {
    readonly address: string;
    readonly port: number;
    readonly portEnv: string;
    readonly certificates: TlsCertificates;
  },
): Promise<TlsGrpcListener> {
  const { certificates } = options;
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  const listener = tls.createServer(certificates.serverOptions(['h2']));
  listener.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  certificates.serve(listener, options.portEnv, (socket) => {
    // gRPC over TLS is HTTP/2 by ALPN; one that did not ask for it would be answered with nothing.
    if (socket.alpnProtocol === 'h2' && listener.listening) injector.injectConnection(socket);
    else socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen({ host: options.address, port: options.port }, resolve);
  });
  return {
    port: (listener.address() as AddressInfo).port,
    async close() {
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
    destroy() {
      listener.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
