import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import type * as net from 'node:net';
import { Http1Connections } from './http-connections.ts';
import type { NodeHandler } from './http-mount.ts';
import { listenFailure } from './listen-failure.ts';
import type { TlsCertificates } from './tls-certificates.ts';

/** What an HTTP port serves. */
export interface HttpServerOptions {
  readonly address: string;
  readonly port: number;
  /** The setting that names the port, for the error when it is taken. */
  readonly portEnv: string;
  readonly handler: NodeHandler;
  /** How long an HTTP/2 connection may go without a request, in milliseconds; two minutes unless told. */
  readonly idleTimeoutMs?: number;
  /** The port speaks TLS only; undefined: cleartext only. */
  readonly certificates?: TlsCertificates | undefined;
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

/** An HTTP/2 connection without a request for this long is closed. */
const IDLE_TIMEOUT_MS = 120_000;

/** How long the peer of an HTTP/2 connection that we closed has to close its side too. */
const CLOSE_TIMEOUT_MS = 250;

/**
 * Serves HTTP/1.1 and HTTP/2 on one port. In cleartext a connection's first bytes tell which it is (HTTP/2 by prior
 * knowledge), with TLS what the client chose by ALPN (RFC 7301; HTTP/1.1 where it did not).
 *
 * @throws Error naming `portEnv` where the port is taken.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<RunningHttpServer> {
  const sockets = new Set<net.Socket>();
  const sniffing = new Set<net.Socket>();
  const sessions = new Set<http2.ServerHttp2Session>();
  const http1 = new Http1Connections();
  let draining = false;
  const http2Server = http2.createServer(options.handler);
  http2Server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    closeWhenIdle(session, options.idleTimeoutMs ?? IDLE_TIMEOUT_MS);
  });
  // The HTTP/1.1 server listens, so that Node's own time-outs for its slow requests and idle connections work; only
  // the step from a connection to a protocol is ours.
  const onRequest: http.RequestListener = (request, response) => {
    http1.count(request.socket, response);
    options.handler(request, response);
  };
  const { certificates } = options;
  const server =
    certificates === undefined
      ? http.createServer(onRequest)
      : https.createServer(certificates.serverOptions(['h2', 'http/1.1']), onRequest);
  const established = certificates === undefined ? 'connection' : 'secureConnection';
  const [acceptHttp1] = server.listeners(established) as ((socket: net.Socket) => void)[];
  server.removeAllListeners(established);
  const speak = (socket: net.Socket, isHttp2: boolean): void => {
    if (isHttp2) {
      // The HTTP/1.1 server's sockets stay half open when the peer closes, and HTTP/2 leaves them so for ever.
      socket.on('end', () => socket.destroySoon());
      socket.once('finish', () => setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS).unref());
      http2Server.emit('connection', socket);
    } else {
      http1.add(socket);
      acceptHttp1?.call(server, socket);
    }
  };
  server.on('connection', (socket: net.Socket) => {
    if (draining) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    if (certificates !== undefined) return;
    sniffing.add(socket);
    socket.once('close', () => sniffing.delete(socket));
    sniff(socket, (isHttp2) => {
      sniffing.delete(socket);
      speak(socket, isHttp2);
    });
  });
  certificates?.serve(server as https.Server, options.portEnv, (socket) => {
    if (draining) socket.destroy();
    else speak(socket, socket.alpnProtocol === 'h2');
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
      draining = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // Whoever has not asked for anything yet has nothing to wait for.
      for (const socket of sniffing) socket.destroy();
      for (const session of sessions) session.close();
      http1.drain();
      await closed;
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
    socket.off('end', drop);
    socket.setTimeout(0);
    socket.unshift(head);
    accept(isPreface);
  };
  socket.on('error', drop);
  socket.once('end', drop);
  socket.setTimeout(FIRST_BYTES_TIMEOUT_MS, drop);
  socket.on('readable', look);
}

/** Closes an HTTP/2 connection that has had no request open for `timeoutMs`; pings and the like do not count. */
function closeWhenIdle(session: http2.ServerHttp2Session, timeoutMs: number): void {
  let open = 0;
  const close = () => session.close();
  let idle = setTimeout(close, timeoutMs).unref();
  session.on('stream', (stream) => {
    open += 1;
    clearTimeout(idle);
    stream.once('close', () => {
      open -= 1;
      if (open === 0 && !session.destroyed) idle = setTimeout(close, timeoutMs).unref();
    });
  });
  session.once('close', () => clearTimeout(idle));
}
