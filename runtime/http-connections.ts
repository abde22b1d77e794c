import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** HTTP/1.1 connections and how many requests each has open, so that a drain waits for requests only. */
export class Http1Connections {
  readonly #open = new Map<Socket, number>();
  #draining = false;

  add(socket: Socket): void {
    this.#open.set(socket, 0);
    socket.once('close', () => this.#open.delete(socket));
  }

  /** Counts a request in, and out once its response has ended. A request counts from the end of its head. */
  count(socket: Socket, response: ServerResponse): void {
    this.#change(socket, 1);
    response.once('close', () => {
      this.#change(socket, -1);
      if (this.#draining && this.#open.get(socket) === 0) socket.destroySoon();
    });
  }

  /** Closes each connection that has no request open, the others as soon as they have none. */
  drain(): void {
    this.#draining = true;
    for (const [socket, requests] of this.#open) {
      if (requests === 0) socket.destroySoon();
    }
  }

  #change(socket: Socket, by: number): void {
    const requests = this.#open.get(socket);
    if (requests !== undefined) this.#open.set(socket, requests + by);
  }
}
