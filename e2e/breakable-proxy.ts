import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP proxy whose connections can fall silent, as those to a machine that vanished do. */
export interface BreakableProxy extends AsyncDisposable {
  /** `host:port` */
  readonly address: string;
  /** Passes on nothing more of the connections that are open, and leaves them open. New ones work. */
  silence(): void;
}

/** @param target `host:port` */
export async function startBreakableProxy(target: string): Promise<BreakableProxy> {
  const [host, port] = target.split(':');
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer((near) => {
    const far = connect(Number(port), host);
    pairs.add([near, far]);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.pipe(to);
      // Its other half is told by the pipe; a reset has nothing more to tell.
      from.on('error', () => to.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    silence() {
      for (const pair of pairs) {
        for (const socket of pair) socket.unpipe().pause();
      }
    },
    async [Symbol.asyncDispose]() {
      for (const socket of [...pairs].flat()) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
