import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it reached an upstream. */
export interface Echo {
  readonly method: string;
  /** Path and query as they were sent. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A service behind a gateway that answers each request with what it saw of it, in a status by `?answer=<status>`. */
export interface EchoUpstream extends AsyncDisposable {
  /** `host:port` */
  readonly address: string;
  /** How many requests it has seen. */
  requests(): number;
}

export async function startEchoUpstream(): Promise<EchoUpstream> {
  let requests = 0;
  const server = createServer(async (request, response) => {
    requests += 1;
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const { method, url, headers } = request;
    response.statusCode = Number(/[?&]answer=(\d{3})$/.exec(url ?? '')?.[1] ?? 200);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ method, url, headers, body }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
