import {
  Client,
  credentials,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { expect } from 'vitest';

/** Envoy's contract as another language's tool reads it: identity's own generated code has no part in this. */
const proto = loadSync('envoy/service/auth/v3/external_auth.proto', {
  includeDirs: [new URL('../proto', import.meta.url).pathname],
  ...{ keepCase: true, enums: String, defaults: true },
});

/** HeaderValueOption, as proto-loader reads it. */
interface HeaderOption {
  readonly header: { readonly key: string; readonly value: string };
  readonly append: unknown;
  readonly append_action: string;
}

/** CheckResponse, as proto-loader reads it. */
export interface Answer {
  readonly status: { readonly code: number };
  readonly denied_response?: {
    readonly status: { readonly code: string };
    readonly headers: readonly HeaderOption[];
    readonly body: string;
  };
  readonly ok_response?: {
    readonly headers: readonly HeaderOption[];
    readonly headers_to_remove: readonly string[];
  };
  readonly dynamic_metadata: {
    readonly fields: Readonly<Record<string, { stringValue?: string; listValue?: { values: unknown[] } }>>;
  } | null;
}

/** What differs from a GET of https://api.example.com/orders?x=1. */
export interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly host?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly raw?: readonly { key: string; value?: string; raw_value?: Buffer }[];
  readonly context?: Readonly<Record<string, string>>;
}

/** An Envoy in front of some upstream. */
export class Gateway implements Disposable {
  readonly #client: InstanceType<ServiceClientConstructor>;
  readonly #metadata = new Metadata();

  constructor(address: string, apiKey?: string) {
    let found: unknown = loadPackageDefinition(proto);
    for (const name of 'envoy.service.auth.v3.Authorization'.split('.')) {
      found = (found as Record<string, unknown>)[name];
    }
    if (!(typeof found === 'function' && found.prototype instanceof Client)) throw new Error('no service');
    this.#client = new (found as ServiceClientConstructor)(address, credentials.createInsecure());
    if (apiKey !== undefined) this.#metadata.set('authorization', `Bearer ${apiKey}`);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  async check({ path = '/orders?x=1', token, headers, raw, context, ...more }: Asked): Promise<Answer> {
    const http = {
      ...{ method: 'GET', host: 'api.example.com', scheme: 'https', path, ...more },
      headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
      ...(raw === undefined ? {} : { headers: {}, header_map: { headers: raw } }),
    };
    const request = { attributes: { request: { http }, context_extensions: context ?? {} } };
    return await new Promise((resolve, reject) => {
      const deadline = { deadline: Date.now() + 5000 };
      this.#client['Check']?.(request, this.#metadata, deadline, (error: Error | null, answer: Answer) => {
        if (error === null) resolve(answer);
        else reject(error);
      });
    });
  }

  async status(asked: Asked): Promise<number> {
    return statusOf(await this.check(asked));
  }
}

const STATUSES: Readonly<Record<string, number>> = {
  Unauthorized: 401,
  Forbidden: 403,
  InternalServerError: 500,
  ServiceUnavailable: 503,
};
/** Codes of google.rpc.Status that go with them. */
const CODES: Readonly<Record<number, number>> = { 200: 0, 401: 16, 403: 7, 500: 13, 503: 14 };

/** The status that the client gets, or 200 where its request goes on. */
export function statusOf({ status, denied_response, ok_response }: Answer): number {
  const code = denied_response === undefined ? 200 : (STATUSES[denied_response.status.code] ?? 0);
  expect([ok_response === undefined, status.code]).toEqual([code !== 200, CODES[code]]);
  return code;
}

/** An upstream's request headers, after Envoy did as it was told with those of the client. */
export function upstreamHeaders(sent: Readonly<Record<string, string>>, { ok_response }: Answer) {
  const headers: Record<string, string> = { ...sent };
  for (const { header, append, append_action } of ok_response?.headers ?? []) {
    expect([append, append_action]).toEqual([null, 'OVERWRITE_IF_EXISTS_OR_ADD']);
    headers[header.key] = header.value;
  }
  for (const name of ok_response?.headers_to_remove ?? []) delete headers[name];
  return headers;
}

/** The headers that the client is answered. */
export function deniedHeaders({ denied_response }: Answer): Record<string, string> {
  return Object.fromEntries((denied_response?.headers ?? []).map(({ header }) => [header.key, header.value]));
}

/** The body that the client is answered. */
export const bodyOf = ({ denied_response }: Answer) =>
  JSON.parse(denied_response?.body ?? '{}') as Record<string, unknown>;
