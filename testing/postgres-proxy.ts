import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { AnswerReader, StatementReader } from './postgres-messages.ts';

/** The moment of a statement at which everything stops. */
export interface StopAt {
  /** Counted over all connections, from 1. */
  readonly statement: number;
  /** Before the server has got the statement, or after it has carried it out and before anybody is told. */
  readonly when: 'before' | 'after';
  /** Called once, at that moment. Nothing passes any more. */
  readonly onReached: () => void;
}

/**
 * A proxy on 127.0.0.1 in front of a PostgreSQL, which counts the statements that pass: each simple query, and each run of
 * extended-query messages up to its Sync (PostgreSQL's documentation, chapter 54.2). TLS
 * could not be read: the server behind it must have none.
 */
export class PostgresProxy implements AsyncDisposable {
  /** Connection URL through the proxy. */
  readonly url: string;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #backends = new Set<Promise<unknown>>();
  #statements = 0;
  #stopAt: StopAt | null = null;
  #isStopped = false;

  private constructor(server: Server, url: URL, port: number) {
    this.#server = server;
    this.#target = { host: url.hostname, port: Number(url.port) };
    const own = new URL(url);
    own.host = `127.0.0.1:${port}`;
    this.url = own.href;
  }

  /** @param url of the PostgreSQL behind it */
  static async start(url: string): Promise<PostgresProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new PostgresProxy(server, new URL(url), (server.address() as { port: number }).port);
    server.on('connection', (client) => proxy.#accept(client));
    return proxy;
  }

  /** Statements since the start, or since {@link stopAt}. */
  get statements(): number {
    return this.#statements;
  }

  /** Counts from 1 again, and stops everything at this moment. */
  stopAt(stop: StopAt): void {
    this.#statements = 0;
    this.#stopAt = stop;
  }

  /** When every server process behind the proxy has ended, with what it had begun: their clients have to be gone. */
  async drained(): Promise<void> {
    await Promise.all(this.#backends);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    if (this.#isStopped) {
      client.destroy();
      return;
    }
    const backend = connect(this.#target);
    for (const socket of [client, backend]) this.#watch(socket);
    this.#backends.add(once(backend, 'close'));
    const answers = new AnswerReader();
    let stopAfter: StopAt | null = null;
    const statements = new StatementReader((bytes, isStatement) => {
      if (this.#isStopped) return;
      const stop = isStatement ? this.#next() : null;
      if (stop?.when === 'before') {
        this.#stop(stop);
        return;
      }
      stopAfter = stop;
      backend.write(bytes);
    });
    client.on('data', (bytes) => statements.push(bytes));
    backend.on('data', (bytes) => {
      if (this.#isStopped) return;
      const isComplete = answers.push(bytes);
      if (stopAfter === null) client.write(bytes);
      else if (isComplete) this.#stop(stopAfter);
    });
    // A server process that is at work ends when it is done: only then is its transaction undone.
    client.on('close', () => backend.end());
    backend.on('close', () => client.end());
  }

  /** Counts a statement. @returns what stops at it. */
  #next(): StopAt | null {
    this.#statements += 1;
    return this.#stopAt?.statement === this.#statements ? this.#stopAt : null;
  }

  #stop(stop: StopAt): void {
    this.#isStopped = true;
    stop.onReached();
  }

  #watch(socket: Socket): void {
    this.#sockets.add(socket);
    // Either side may die at any time: that is what this is for.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
