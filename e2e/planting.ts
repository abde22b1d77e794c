import type { ConnectError, Transport } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { expect } from 'vitest';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import { keepingErrors } from './keeping-errors.ts';
import type { LoggedProcess } from './logged-process.ts';
import { plantedHeaders, secret } from './planted-secrets.ts';

/** Calls services with secrets wherever a request has room for them, and keeps what they answer. */
export class Planting implements Disposable {
  readonly errors: ConnectError[] = [];
  /** Headers and bodies of HTTP as they came. */
  readonly answers: string[] = [];
  readonly #resources = new DisposableStack();

  /** gRPC and Connect to a service, by an API key, with all that can be planted in headers. */
  transportsTo(service: LoggedProcess, key = 'API key of ops'): readonly [Transport, Transport] {
    const grpc = this.#resources.use(createGrpcTransport({ address: service.grpcAddress }));
    const planted = (header: ConstructorParameters<typeof Headers>[0]) => {
      const headers = new Headers(header);
      headers.set('authorization', `Bearer ${secret(key)}`);
      for (const [name, value] of Object.entries(plantedHeaders())) headers.set(name, value);
      return headers;
    };
    const planter = (to: Transport): Transport => ({
      unary: (method, signal, timeoutMs, header, ...rest) =>
        to.unary(method, signal, timeoutMs, planted(header), ...rest),
      stream: (method, signal, timeoutMs, header, ...rest) =>
        to.stream(method, signal, timeoutMs, planted(header), ...rest),
    });
    const http = createConnectTransport({ baseUrl: service.httpUrl, httpVersion: '1.1' });
    return [keepingErrors(planter(grpc), this.errors), keepingErrors(planter(http), this.errors)];
  }

  /** Asks the HTTP port of a service. */
  async ask(service: LoggedProcess, path: string, init: RequestInit = {}): Promise<number> {
    const response = await fetch(`${service.httpUrl}${path}`, {
      ...init,
      headers: { ...plantedHeaders(), ...init.headers },
    });
    this.answers.push(JSON.stringify([...response.headers]), await response.text());
    return response.status;
  }

  /** Requests that no handler gets, or only a route: bad paths, bodies and queries, and what gateways pass on. */
  async plainHttp(service: LoggedProcess, rpc: string): Promise<void> {
    const authorization = `Bearer ${secret('API key of ops')}`;
    const query = `?token=${secret('query')}`;
    const post = async (contentType: string, body: string) =>
      await this.ask(service, `/${rpc}`, {
        method: 'POST',
        body,
        headers: { 'content-type': contentType, authorization },
      });
    expect(await this.ask(service, `/nowhere${query}`)).toBe(404);
    expect(await this.ask(service, `/${rpc}${query}`, { method: 'DELETE' })).toBe(405);
    const body = secret('body');
    for (const json of [body, `{"unknown":"${body}"}`, `{"text":["${body}"`]) {
      expect(await post('application/json', json)).toBe(400);
    }
    for (const type of [`text/${body}`, 'application/grpc-web+proto', 'application/proto'])
      await post(type, body);
    for (const gateway of ['nginx', 'traefik']) {
      for (const key of ['API key of ops', 'API key of nobody']) {
        const headers = forwarded(key);
        await this.ask(service, `/forward-auth/${gateway}?endpoint=orders`, { headers });
        await this.ask(service, `/forward-auth/${gateway}${query}`, { headers });
      }
    }
  }

  [Symbol.dispose](): void {
    this.#resources.dispose();
  }
}

/** What gateways tell of a client's request; its credential is the client's own. */
function forwarded(key: string) {
  const uri = `/orders?token=${secret('query')}`;
  return {
    authorization: `Bearer ${secret('original authorization')}`,
    'x-optix-authorization': `Bearer ${secret(key)}`,
    ...{ 'x-original-uri': uri, 'x-original-method': 'GET', 'x-original-host': 'shop.example' },
    ...{ 'x-forwarded-uri': uri, 'x-forwarded-method': 'GET', 'x-forwarded-host': 'shop.example' },
    ...{ 'x-real-ip': '203.0.113.9', 'x-forwarded-for': '203.0.113.9' },
  };
}
