import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type * as http from 'node:http';
import * as https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAuthority, makeCertificate } from '../../../testing/certificates.ts';
import {
  askAs,
  type ClientRequest,
  GATEWAY_NAMES,
  newAddress,
  statusOf,
} from '../../../testing/forward-auth.ts';
import { startTestRateLimit, type TestService } from '../../../testing/services.ts';

const RULES = `rules:
  - { name: api_default, limits: [{ limit: 100, window: 1h }] }
  - { name: pairs, limits: [{ limit: 2, window: 1h }] }
`;

const directory = mkdtempSync(join(tmpdir(), 'optix-forward-auth-'));
const file = (name: string, text: string) => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};
let limiter: TestService;
beforeAll(async () => {
  limiter = await startTestRateLimit({ RATELIMIT_RULES_FILE: file('rules.yaml', RULES) });
});
afterAll(async () => {
  await limiter[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

describe.each(GATEWAY_NAMES)('the rate limiter, asked by %s', (gateway) => {
  const asked = async (query: string, told?: ClientRequest) => await askAs(limiter, gateway, query, told);

  it('counts against the address', async () => {
    const ip = newAddress();
    const answers = [];
    for (let times = 0; times < 3; times += 1) answers.push(await asked('limit=pairs', { ip }));
    expect(answers.map((answer) => statusOf(gateway, answer))).toEqual([200, 200, 429]);
    expect(answers[0]?.headers).toMatchObject({ 'x-ratelimit-remaining': '1', 'content-length': '0' });
    expect(Number(answers[2]?.headers['retry-after'])).toBeGreaterThan(3_500);
    expect(statusOf(gateway, await asked('limit=pairs', { ip: newAddress() }))).toBe(200);
  });

  it('counts against a header, and takes a cost', async () => {
    const headers = { 'x-tenant': randomUUID() };
    const query = 'limit=pairs&by=header:X-Tenant&cost=2';
    expect(statusOf(gateway, await asked(query, { headers, ip: newAddress() }))).toBe(200);
    expect(statusOf(gateway, await asked(query, { headers, ip: newAddress() }))).toBe(429);
    expect(statusOf(gateway, await asked(query, { ip: newAddress() }))).toBe(200);
  });

  it.each([
    ['', 'limit is not set'],
    ['limit=pairs&token=required', '"token" is no parameter here'],
    ['limit=pairs&by=user', 'by must be ip or header:<name>'],
    ['limit=pairs&cost=3', 'cost 3 is greater than the limit 2'],
    ['limit=a%00b', 'limit must be'],
  ])('opens no door for ?%s', async (query, problem) => {
    const answer = await asked(query);
    expect(statusOf(gateway, answer)).toBe(500);
    expect(answer.body).toContain(JSON.stringify(problem).slice(1, -1));
  });
});

describe('a gateway with a client certificate', () => {
  it('needs no key', async () => {
    makeAuthority(directory, 'authority');
    makeCertificate(directory, 'server', 'authority');
    makeCertificate(directory, 'edge', 'authority', { names: ['URI:spiffe://example/edge'] });
    const path = (name: string) => join(directory, name);
    const certificates = [{ uri: 'spiffe://example/edge' }];
    const callers = { callers: [{ name: 'edge', scopes: ['limits.check'], certificates }] };
    await using service = await startTestRateLimit({
      TLS_CERT_FILE: path('server.crt'),
      TLS_KEY_FILE: path('server.key'),
      TLS_CLIENT_AUTH: 'optional',
      TLS_CLIENT_CA_FILE: path('authority.crt'),
      CALLERS_FILE: file('callers.yaml', JSON.stringify(callers)),
    });
    const status = async (certificate?: string, headers: http.OutgoingHttpHeaders = {}) => {
      const own = certificate && {
        cert: readFileSync(path(`${certificate}.crt`)),
        key: readFileSync(path(`${certificate}.key`)),
      };
      const url = `${service.httpUrl.replace('http:', 'https:')}/forward-auth/nginx?limit=pairs`;
      const request = https.request(url, {
        ...{ ca: readFileSync(path('authority.crt')), agent: false, ...own },
        headers: { 'x-real-ip': newAddress(), ...headers },
      });
      return await new Promise((resolve, reject) => {
        request
          .on('response', (response) => resolve(response.resume().statusCode))
          .on('error', reject)
          .end();
      });
    };
    expect(await status('edge')).toBe(200);
    // The header of the request that it asks about is not the gateway's own.
    expect(await status('edge', { authorization: 'Bearer of-a-client' })).toBe(200);
    expect(await status('edge', { 'x-optix-authorization': 'Bearer of-nobody' })).toBe(500);
    expect(await status('server')).toBe(500);
    expect(await status()).toBe(500);
  });
});
