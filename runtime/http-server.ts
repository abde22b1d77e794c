import * as http from 'node:http';
import * as http2 from 'node:http2';
import type * as net from 'node:net';
import type { NodeHandler } from './http-mount.ts';
import { listenFailure } from './listen-failure.ts';

/** What an HTTP port serves. */
export interface HttpServerOptions {
  readonly address: string;
  readonly port: number;
  /** The setting that names the port, for the error when it is taken. */
  readonly portEnv: string;
  readonly handler: NodeHandler;
}

/** An HTTP port that accepts requests. */
export interface RunningHttpServer {
  readonly port: number;
  /** Takes no new connections; resolves once the requests in flight have ended. */
  drain(): Promise<void>;
  /** Cuts off whatever is still open. */
  [Symbol.dispose](): void;
}

/** How every HTTP/2 connection starts (RFC 9113 section 3.4). */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** A connection that says nothing for this long is closed. */
const FIRST_BYTES_TIMEOUT_MS = 10_000;

/**
 * Serves HTTP/1.1 and cleartext HTTP/2 (prior knowledge) on one port: a connection's first bytes tell which it is.
 *
 * @throws Error naming `portEnv` where the port is taken.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<RunningHttpServer> {
  const sockets = new Set<net.Socket>();
  const sessions = new Set<http2.ServerHttp2Session>();
  const http2Server = http2.createServer(options.handler);
  http2Server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  // The HTTP/1.1 server listens, so that Node's own time-outs for slow requests and idle connections work; only
  // the step from a connection to a protocol is ours.
  const server = http.createServer(options.handler);
  const [acceptHttp1] = server.listeners('connection') as ((socket: net.Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    sniff(socket, (isHttp2) => {
      if (isHttp2) http2Server.emit('connection', socket);
      else acceptHttp1?.call(server, socket);
    });
  });

  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', (error) => {
      reject(listenFailure(error, options.portEnv, `${options.address}:${options.port}`));
    });
    server.listen({ host: options.address, port: options.port }, () => {
      resolve((server.address() as net.AddressInfo).port);
    });
  });
  return {
    port,
    async drain() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.close();
      // A connection in the middle of a request becomes idle after its answer, and nothing tells when.
      const sweep = setInterval(() => server.closeIdleConnections(), 20);
      await closed.finally(() => clearInterval(sweep));
    },
    [Symbol.dispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Tells by a connection's first bytes whether it speaks HTTP/2, and puts them back. */
function sniff(socket: net.Socket, accept: (isHttp2: boolean) => void): void {
  // A failure this early (a reset, say) ends the connection and concerns nobody else.
  const drop = () => socket.destroy();
  let head = Buffer.alloc(0);
  const look = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    head = Buffer.concat([head, chunk]);
    const isPreface = PREFACE.subarray(0, head.length).equals(head.subarray(0, PREFACE.length));
    if (isPreface && head.length < PREFACE.length) return;
    socket.off('readable', look);
    socket.off('error', drop);
    socket.off('timeout', drop);
    socket.setTimeout(0);
    socket.unshift(head);
    accept(isPreface);
  };
  socket.on('error', drop);
  socket.setTimeout(FIRST_BYTES_TIMEOUT_MS, drop);
  socket.on('readable', look);
}
