import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy before a database, which can be taken away in the ways that networks and servers go away. */
export class TestProxy implements AsyncDisposable {
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;
  #silent = false;

  constructor(targetUrl: string) {
    this.#target = new URL(targetUrl);
  }

  /** The database's URL through the proxy. */
  get url(): string {
    const url = new URL(this.#target);
    url.port = String(this.#port);
    return url.href;
  }

  /** Accepts connections, on the same port each time. */
  async up(): Promise<void> {
    this.#silent = false;
    if (this.#server !== undefined) return;
    this.#server = createServer((client) => this.#join(client));
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (typeof address === 'object' && address !== null) this.#port = address.port;
  }

  /** Closes all connections and refuses new ones: the server was killed. */
  async down(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  /** Keeps connections and lets nothing through: the server hangs, or a firewall drops its packets. */
  silence(): void {
    this.#silent = true;
  }

  /** New connections work again. The old ones stay as dead as they were. */
  async restore(): Promise<void> {
    const dead = [...this.#sockets];
    this.#silent = false;
    for (const socket of dead) socket.removeAllListeners('data').resume();
  }

  #join(client: Socket): void {
    const upstream = connect(Number(this.#target.port), this.#target.hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (data) => {
        if (!this.#silent) to.write(data);
      });
      from.on('error', () => from.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }
}
