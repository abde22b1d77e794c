import * as http from 'node:http';
import type { RunningGateway } from '../../testing/gateways.ts';
import type { Echo } from './echo-upstream.ts';

/** A client's request, GET where nothing else is said. */
export interface Sent {
  readonly path: string;
  readonly method?: string;
  readonly token?: string | undefined;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string;
  /** The client's address, in 127.0.0.0/8. */
  readonly from?: string;
  /** Whose connection it takes. Default: one of its own. */
  readonly agent?: http.Agent;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** Sends a request, its path as it is. */
export async function send(gateway: Pick<RunningGateway, 'port'>, sent: Sent): Promise<Answer> {
  const { path, method = 'GET', token, headers, body, from, agent = false } = sent;
  const request = http.request({
    ...{ host: '127.0.0.1', port: gateway.port, path, method, agent },
    headers: {
      host: 'api.example.com',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(from === undefined ? {} : { localAddress: from }),
  });
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    request.on('response', resolve).on('error', reject).end(body);
  });
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, body: text };
}

/** What the upstream saw of the request that was answered. */
export function seenBy({ body }: Answer): Echo {
  return JSON.parse(body) as Echo;
}

let addresses = 0;

/** An address of a client that nobody has sent from. */
export function newClient(): string {
  addresses += 1;
  return `127.77.${Math.floor(addresses / 250)}.${1 + (addresses % 250)}`;
}
