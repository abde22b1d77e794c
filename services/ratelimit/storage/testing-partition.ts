import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A TCP proxy on loopback whose connections can be made to hang, as a network partition does. */
export interface Partition extends AsyncDisposable {
  readonly url: string;
  /** All connections, and those that come until thaw(), stay open and never carry another byte. */
  freeze(): void;
  /** Connections that come from now on work. */
  thaw(): void;
}

/** Stands between a client and the Redis at a port. */
export async function partitionable(port: number): Promise<Partition> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let frozen = false;
  const freezePair = (pair: readonly [Socket, Socket]) => {
    for (const socket of pair) socket.unpipe().pause();
  };
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    const pair = [near, far] as const;
    pairs.add(pair);
    near.pipe(far).pipe(near);
    for (const socket of pair) {
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        for (const either of pair) either.destroy();
        pairs.delete(pair);
      });
    }
    if (frozen) freezePair(pair);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return {
    url: `redis://127.0.0.1:${address.port}`,
    freeze() {
      frozen = true;
      for (const pair of pairs) freezePair(pair);
    },
    thaw() {
      frozen = false;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const [near] of pairs) near.destroy();
    },
  };
}
