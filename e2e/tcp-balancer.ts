import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP balancer: connections go to the targets in turn, and past one that takes none. */
export interface TcpBalancer extends AsyncDisposable {
  /** `host:port` */
  readonly address: string;
}

/** @param targets `host:port` each */
export async function startTcpBalancer(targets: readonly string[]): Promise<TcpBalancer> {
  const sockets = new Set<Socket>();
  let turn = 0;
  const pass = (near: Socket, at: number, tries: number): void => {
    const [host, port] = (targets[at % targets.length] as string).split(':');
    const far = connect(Number(port), host);
    sockets.add(far);
    far.once('close', () => sockets.delete(far));
    const refused = () => {
      if (tries > 1) pass(near, at + 1, tries - 1);
      else near.destroy();
    };
    far.once('error', refused);
    far.once('connect', () => {
      far.off('error', refused);
      far.on('error', () => near.destroy());
      near.on('error', () => far.destroy());
      near.pipe(far);
      far.pipe(near);
    });
  };
  const server = createServer((near) => {
    sockets.add(near);
    near.once('close', () => sockets.delete(near));
    pass(near, turn++, targets.length);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
