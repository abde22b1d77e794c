import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import { type Server, ServerCredentials } from '@grpc/grpc-js';

/** A port whose connections a grpc-js server answers. */
export interface GrpcListener {
  readonly port: number;
  /** Takes no new connections; resolves once those that are open have ended. */
  close(): Promise<void>;
  /** Cuts off the connections that are still open, also in the middle of a handshake. */
  destroy(): void;
}

/** Where a port is opened. */
export interface GrpcListenerOptions {
  readonly address: string;
  readonly port: number;
}

/**
 * Listens in cleartext and hands the connections to grpc-js, whose own ports can't be cut off: where it keeps no channelz
 * counters, its forceShutdown() knows of no connection and leaves all of them open, with callers that wait.
 *
 * @throws Error of the system where the port can't be opened.
 */
export async function listenInClear(server: Server, options: GrpcListenerOptions): Promise<GrpcListener> {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = createServer((socket) => {
    if (listener.listening) injector.injectConnection(socket);
    else socket.destroy();
  });
  return await openListener(listener, options);
}

/**
 * Opens the port of a server that hands its connections on, and keeps count of them.
 *
 * @throws Error of the system where the port can't be opened.
 */
export async function openListener(listener: NetServer, options: GrpcListenerOptions): Promise<GrpcListener> {
  const sockets = new Set<Socket>();
  listener.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    // Later ones are of a single connection that could not be accepted: its client tries again, the port stays open.
    listener.on('error', reject);
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
