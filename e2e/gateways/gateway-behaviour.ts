import { randomUUID } from 'node:crypto';
import * as http from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningGateway } from '../../testing/gateways.ts';
import { GATEWAY_KEY, LIMIT, type ProtectedStack, startProtectedStack } from './protected-stack.ts';
import { type Answer, newClient, type Sent, seenBy, send } from './send.ts';

/** Where a gateway finds everybody, each as `host:port`. */
export interface Places {
  readonly identity: string;
  readonly ratelimit: string;
  readonly upstream: string;
  /** The gateway's credential at both services. */
  readonly key: string;
}

/** A gateway that is started with its configuration of deploy/. */
export interface GatewayUnderTest {
  readonly start: (places: Places) => Promise<RunningGateway>;
  /** Its answer while a service that it asks is away. */
  readonly statusOfFailure: number;
  /** Whether clients are told of the limit also where the request goes on. */
  readonly tellsAllowed: boolean;
}

const FORGED = {
  'x-auth-user-id': 'forged',
  'X-Auth-Session-Id': 'forged',
  'x-auth-roles': 'forged',
  'x-auth-acr': 'forged',
  'x-auth-time': 'forged',
  x_auth_user_id: 'forged',
  'x-auth_roles': 'forged',
  'x-optix-authorization': 'Bearer forged',
};
const SPOOFED = {
  'x-real-ip': '192.0.2.1',
  'x-forwarded-for': '192.0.2.1',
  'x-forwarded-host': 'other.example',
  'x-original-host': 'other.example',
  'x-forwarded-method': 'GET',
  'x-original-method': 'GET',
  'x-forwarded-uri': '/hello',
  'x-original-uri': '/hello',
};

/** What clients and upstreams get of a gateway that is set up as deploy/ shows. */
export function describeGateway(
  name: string,
  { start, statusOfFailure, tellsAllowed }: GatewayUnderTest,
): void {
  describe(`${name} before a service`, () => {
    let stack: ProtectedStack;
    let gateway: RunningGateway;
    /** Of a user without roles, for tests that use up nothing. */
    let token: string;
    const hostOf = (url: string) => new URL(url).host;
    const places = (): Places => ({
      identity: hostOf(stack.identity.httpUrl),
      ratelimit: hostOf(stack.ratelimit.httpUrl),
      upstream: stack.upstream.address,
      key: GATEWAY_KEY,
    });
    beforeAll(async () => {
      stack = await startProtectedStack();
      gateway = await start(places());
      ({ token } = await stack.signIn());
    });
    afterAll(async () => {
      await gateway[Symbol.asyncDispose]();
      await stack[Symbol.asyncDispose]();
    });

    /** Sends a request that the upstream must not see. */
    async function refused(sent: Sent, by: RunningGateway = gateway): Promise<Answer> {
      const before = stack.upstream.requests();
      const answer = await send(by, sent);
      expect(stack.upstream.requests()).toBe(before);
      return answer;
    }

    function expectProblem({ headers, body }: Answer, status: number): void {
      expect(headers['content-type']).toBe('application/problem+json');
      expect(JSON.parse(body)).toMatchObject({ status });
    }

    it('passes on a request with a good token, and tells the upstream whose it is', async () => {
      const { id, token } = await stack.signIn();
      const answer = await send(gateway, { path: '/account/me', token, headers: FORGED });
      expect(answer.status).toBe(200);
      const { headers } = seenBy(answer);
      expect(headers).toMatchObject({
        ...{ host: 'api.example.com', authorization: `Bearer ${token}` },
        ...{ 'x-auth-user-id': id, 'x-auth-roles': 'user', 'x-auth-acr': 'aal1' },
        'x-auth-session-id': expect.stringMatching(/^[\da-f-]{36}$/) as string,
        'x-auth-time': expect.stringMatching(/^\d{10}$/) as string,
      });
      expect(JSON.stringify(headers)).not.toMatch(`forged|${GATEWAY_KEY}`);
      expect(JSON.stringify(answer.headers)).not.toContain(GATEWAY_KEY);
      expect(Object.keys(answer.headers).filter((each) => each.includes('ratelimit'))).toEqual([]);
    });

    it('lets nobody tell the upstream that it is somebody', async () => {
      for (const path of ['/hello', '/assets/logo.svg']) {
        const answer = await send(gateway, { path, headers: FORGED, from: newClient() });
        expect([path, answer.status]).toEqual([path, 200]);
        for (const [header, value] of Object.entries(seenBy(answer).headers)) {
          if (/^x[-_]auth/.test(header)) expect([header, value]).toEqual([header, '']);
        }
      }
    });

    it('keeps nothing of a request for the next one on its connection', async () => {
      const { id, token } = await stack.signIn();
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      try {
        const first = await send(gateway, { path: '/orders', token, agent });
        expect(seenBy(first).headers['x-auth-user-id']).toBe(id);
        const second = await send(gateway, { path: '/hello', agent });
        expect(JSON.stringify(seenBy(second))).not.toContain(id);
        expect((await refused({ path: '/orders', agent })).status).toBe(401);
      } finally {
        agent.destroy();
      }
    });

    it('lets no client have headers taken off by naming them as those of its connection', async () => {
      const { id, token } = await stack.signIn();
      for (const named of ['x-auth-user-id', 'x-optix-authorization', 'x-forwarded-uri', 'x-original-uri']) {
        const headers = { connection: `close, ${named}` };
        const answer = await send(gateway, { path: '/account/me', token, headers });
        expect([named, answer.status]).toEqual([named, 200]);
        expect([named, seenBy(answer).headers['x-auth-user-id']]).toEqual([named, id]);
      }
    });

    it('passes on method, path, query and body as they are', async () => {
      const path = "/account/a%20b/%C3%A4/%3F%26;v=1?q=a%26b&q=%2Fc+d&x='(*)~$,:@!&y=%7E%25";
      const body = 'x'.repeat(200_000);
      const headers = { 'content-type': 'text/plain', 'x-original': '%20' };
      const answer = await send(gateway, { method: 'PATCH', path, token, body, headers });
      expect(answer.status).toBe(200);
      expect(seenBy(answer)).toMatchObject({ method: 'PATCH', url: path, body });
      const bodyless = await send(gateway, { method: 'DELETE', path: '/account/x', token });
      expect(seenBy(bodyless)).toMatchObject({ method: 'DELETE', url: '/account/x', body: '' });
    });

    it("passes on the upstream's own answers as they are", async () => {
      for (const status of [204, 302, 401, 403, 429, 500, 503]) {
        const path = `/account/me?answer=${status}`;
        const answer = await send(gateway, { path, token });
        expect(answer.status).toBe(status);
        if (status !== 204) expect(seenBy(answer).url).toBe(path);
      }
    });

    it('answers 401 to a request without a token, and with a bad one', async () => {
      for (const path of ['/account/me', '/orders', '/admin/users']) {
        const answer = await refused({ path, headers: { ...FORGED, ...SPOOFED } });
        expect([path, answer.status]).toEqual([path, 401]);
        expect(answer.headers['www-authenticate']).toBe('Bearer realm="optix"');
        expectProblem(answer, 401);
      }
      const bad = await refused({ path: '/account/me', token: 'no-token' });
      expect(bad.status).toBe(401);
      expect(bad.headers['www-authenticate']).toContain('error="invalid_token"');
      const posted = await refused({ method: 'POST', path: '/account/me', body: 'x'.repeat(100_000) });
      expect(posted.status).toBe(401);
    });

    it('answers 403 to a user without the role, and lets in one who has it', async () => {
      const answer = await refused({ path: '/admin/users', token });
      expect(answer.status).toBe(403);
      expect(answer.headers['www-authenticate']).toContain('error="insufficient_scope"');
      expectProblem(answer, 403);
      const admin = await stack.signIn(['user', 'admin']);
      const allowed = await send(gateway, { path: '/admin/users', token: admin.token });
      expect(seenBy(allowed).headers['x-auth-roles']?.split(',').sort()).toEqual(['admin', 'user']);
    });

    it.each([
      '/%61dmin/users',
      '//admin/users',
      '/admin//users',
      '/x/../admin/users',
      '/x/%2e%2e/admin/users',
      '/assets/../admin/users',
      '/assets/%2e%2e/admin/users',
      '/assets/..%2fadmin/users',
      '/assets%2f..%2fadmin/users',
      '/admin;x/users',
      '/account/..;/admin/users',
      '/admin%2fusers',
      '/account/..\\admin/users',
      '/account/..%5cadmin/users',
      '/assets/%2e%2e%2fadmin/users',
      '/admin',
    ])('does not take %s for anything but the administration', async (path) => {
      const answer = await refused({ path, token, from: newClient() });
      expect([301, 400, 403, 404]).toContain(answer.status);
    });

    it('counts each user by itself, to the first 429', async () => {
      const [one, other] = [await stack.signIn(), await stack.signIn()];
      for (let left = LIMIT - 1; left >= 0; left -= 1) {
        const { status, headers } = await send(gateway, { path: '/orders', token: one.token });
        expect(status).toBe(200);
        if (!tellsAllowed) continue;
        expect(headers).toMatchObject({
          ...{ 'x-ratelimit-limit': String(LIMIT), 'x-ratelimit-remaining': String(left) },
          ratelimit: expect.stringMatching(`^"api";r=${left};t=\\d+$`) as string,
          'ratelimit-policy': `"api";q=${LIMIT};w=3600`,
        });
      }
      const denied = await refused({ path: '/orders', token: one.token, from: newClient() });
      expect(denied.status).toBe(429);
      expectProblem(denied, 429);
      expect(Number(denied.headers['retry-after'])).toBeGreaterThan(0);
      expect(denied.headers).toMatchObject({
        ...{ 'x-ratelimit-limit': String(LIMIT), 'x-ratelimit-remaining': '0' },
        ratelimit: expect.stringMatching(/^"api";r=0;t=\d+$/) as string,
      });
      expect((await send(gateway, { path: '/orders', token: other.token })).status).toBe(200);
      expect((await send(gateway, { path: '/account/me', token: one.token })).status).toBe(200);
    });

    it('counts each address by itself, whatever a client says of its own', async () => {
      const from = newClient();
      const path = '/assets/logo.svg';
      for (let times = 0; times < LIMIT; times += 1) {
        const headers = { 'x-forwarded-for': `192.0.2.${times}`, 'x-real-ip': `192.0.2.${times}` };
        expect((await send(gateway, { path, from, headers })).status).toBe(200);
      }
      const denied = await refused({ path, from, headers: SPOOFED });
      expect(denied.status).toBe(429);
      expect(Number(denied.headers['retry-after'])).toBeGreaterThan(0);
      expect((await send(gateway, { path, from: newClient() })).status).toBe(200);
    });

    it('passes on what the limiter does not limit', async () => {
      await using ratelimit = await stack.startRateLimit({ RATE_LIMIT_ENABLED: 'false' });
      await using other = await start({ ...places(), ratelimit: hostOf(ratelimit.httpUrl) });
      const answer = await send(other, { path: '/assets/logo.svg', headers: FORGED, from: newClient() });
      expect(answer.status).toBe(200);
      expect(JSON.stringify(seenBy(answer).headers)).not.toContain('forged');
    });

    it('refuses a token within a second of its sign-out', async () => {
      const { token } = await stack.signIn();
      expect((await send(gateway, { path: '/account/me', token })).status).toBe(200);
      await stack.signOut(token);
      const since = performance.now();
      while ((await send(gateway, { path: '/account/me', token })).status !== 401) {
        expect(performance.now() - since).toBeLessThan(1000);
      }
    });

    it('lets nothing through while identity is away', async () => {
      await using identity = await stack.startIdentity();
      await using other = await start({ ...places(), identity: hostOf(identity.httpUrl) });
      expect((await send(other, { path: '/account/me', token })).status).toBe(200);
      await identity[Symbol.asyncDispose]();
      for (const path of ['/account/me', '/orders', '/hello']) {
        const answer = await refused({ path, token }, other);
        expect([path, answer.status]).toEqual([path, statusOfFailure]);
      }
    });

    it('lets nothing through while ratelimit is away', async () => {
      await using ratelimit = await stack.startRateLimit();
      await using other = await start({ ...places(), ratelimit: hostOf(ratelimit.httpUrl) });
      const sent = { path: '/assets/logo.svg', from: newClient() };
      expect((await send(other, sent)).status).toBe(200);
      await ratelimit[Symbol.asyncDispose]();
      expect((await refused(sent, other)).status).toBe(statusOfFailure);
    });

    it('lets nothing through with a key of its own that is wrong', async () => {
      await using other = await start({ ...places(), key: randomUUID() });
      for (const sent of [{ path: '/account/me', token }, { path: '/assets/logo.svg' }]) {
        const answer = await refused(sent, other);
        expect(answer.status).toBeGreaterThanOrEqual(500);
        expect(answer.headers).not.toHaveProperty('www-authenticate');
      }
    });
  });
}
