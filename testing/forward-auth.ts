import * as http from 'node:http';
import { expect } from 'vitest';
import type { TestService } from './services.ts';

/** How each kind of gateway tells of a request. */
export const GATEWAYS = {
  nginx: { method: 'x-original-method', uri: 'x-original-uri', host: 'x-original-host', ip: 'x-real-ip' },
  traefik: {
    ...{ method: 'x-forwarded-method', uri: 'x-forwarded-uri', host: 'x-forwarded-host' },
    ip: 'x-forwarded-for',
  },
} as const;
export type GatewayName = keyof typeof GATEWAYS;
export const GATEWAY_NAMES = Object.keys(GATEWAYS) as GatewayName[];

/** A request of a client, as its gateway tells of it. */
export interface ClientRequest {
  readonly method?: string;
  readonly uri?: string;
  readonly host?: string;
  readonly ip?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly key?: string;
}

export interface GatewayAnswer {
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** Asks a service as a gateway does. */
export async function askAs(
  service: TestService,
  gateway: GatewayName,
  query: string,
  told: ClientRequest = {},
): Promise<GatewayAnswer> {
  const names = GATEWAYS[gateway];
  const headers = {
    [names.method]: told.method ?? 'GET',
    [names.uri]: told.uri ?? '/v1/orders?page=2',
    [names.host]: told.host ?? 'api.example',
    [names.ip]: told.ip ?? '203.0.113.9',
    ...(told.token === undefined ? {} : { authorization: `Bearer ${told.token}` }),
    ...(told.key === undefined ? {} : { 'x-optix-authorization': `Bearer ${told.key}` }),
    ...told.headers,
  };
  const given = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
  );
  const url = `${service.httpUrl}/forward-auth/${gateway}${query === '' ? '' : `?${query}`}`;
  const request = http.request(url, { headers: given });
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    request.on('response', resolve).on('error', reject).end();
  });
  let body = '';
  for await (const chunk of response) body += String(chunk);
  return { status: response.statusCode, headers: response.headers, body };
}

/** What the answer is, and to nginx, which knows few statuses, what its header says that it is. */
export function statusOf(gateway: GatewayName, { status, headers }: GatewayAnswer): number | undefined {
  if (gateway === 'traefik') {
    expect(headers).not.toHaveProperty('x-auth-status');
    return status;
  }
  const meant = Number(headers['x-auth-status']);
  expect(status).toBe(meant === 429 || meant === 503 ? 403 : meant);
  return meant;
}

let addresses = 0;

/** An address that nobody has asked from. */
export function newAddress(): string {
  addresses += 1;
  return `198.51.${addresses >> 8}.${addresses & 255}`;
}
