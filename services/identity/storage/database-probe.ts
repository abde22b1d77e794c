import { Socket } from 'node:net';
import type { MikroORM } from '@mikro-orm/postgresql';
import { Client } from 'pg';
import { ProbeFailure } from '../../../runtime/store-monitor.ts';
import { pendingMigrations } from './migrate.ts';

interface Connection {
  readonly client: Client;
  readonly socket: Socket;
  connected: boolean;
}

/**
 * Asks the database for a sign of life on a connection of its own: a pool whose connections are all in use is busy,
 * not dead. Also looks once whether the schema is up to date, since a service on an older schema can't answer.
 */
export class DatabaseProbe implements Disposable {
  readonly #orm: MikroORM;
  readonly #url: string;
  #connection: Connection | undefined;
  #schemaIsCurrent = false;

  constructor(orm: MikroORM, url: string) {
    this.#orm = orm;
    this.#url = url;
  }

  /**
   * @param signal gives up: the connection is cut, because a server that hangs takes no request to close it.
   * @throws Error that says for operators what is wrong, without the URL.
   */
  async probe(signal: AbortSignal): Promise<void> {
    this.#connection ??= this.#open();
    const connection = this.#connection;
    const drop = () => this.#drop(connection);
    signal.addEventListener('abort', drop, { once: true });
    try {
      if (!connection.connected) await connection.client.connect();
      connection.connected = true;
      await connection.client.query('select 1');
      if (!this.#schemaIsCurrent) await this.#checkSchema();
    } catch (error) {
      drop();
      throw error;
    } finally {
      signal.removeEventListener('abort', drop);
    }
  }

  async #checkSchema(): Promise<void> {
    const pending = await pendingMigrations(this.#orm);
    if (pending.length > 0) {
      throw new ProbeFailure(`${pending.length} migrations are pending: run \`optix migrate\``);
    }
    this.#schemaIsCurrent = true;
  }

  #open(): Connection {
    const socket = new Socket();
    const client = new Client({
      connectionString: this.#url,
      application_name: 'optix-identity-probe',
      stream: () => socket,
    });
    const connection: Connection = { client, socket, connected: false };
    // A connection that breaks between two probes: the next one makes another.
    client.on('error', () => this.#drop(connection));
    return connection;
  }

  #drop(connection: Connection): void {
    if (this.#connection === connection) this.#connection = undefined;
    connection.socket.destroy();
  }

  [Symbol.dispose](): void {
    if (this.#connection !== undefined) this.#drop(this.#connection);
  }
}
