import * as http from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { IDENTITY_HEADERS } from '../../services/identity/domain/access/identity-headers.ts';
import { configurationOf } from './configuration.ts';
import { GATEWAY_KEY, type ProtectedStack, startProtectedStack } from './protected-stack.ts';

interface Middleware {
  readonly chain?: { readonly middlewares: readonly string[] };
  readonly forwardAuth?: {
    readonly address: string;
    readonly authResponseHeadersRegex: string;
    readonly authRequestHeaders: readonly string[];
  };
  readonly headers?: { readonly customRequestHeaders: Readonly<Record<string, string>> };
}
interface Dynamic {
  readonly http: {
    readonly routers: Readonly<
      Record<
        string,
        {
          readonly entryPoints: readonly string[];
          readonly rule: string;
          readonly middlewares: readonly string[];
          readonly service: string;
        }
      >
    >;
    readonly middlewares: Readonly<Record<string, Middleware>>;
    readonly services: object;
  };
}

const KEYS = { OPTIX_IDENTITY_KEY: 'key of identity', OPTIX_RATELIMIT_KEY: 'key of ratelimit' };

/** The file as Traefik has it after its templates. */
function configuration() {
  const text = Object.values(configurationOf('traefik/dynamic')).join();
  const filled = text.replace(/\{\{ env "(\w+)" \}\}/g, (_, name: keyof typeof KEYS) => KEYS[name]);
  const { http: dynamic } = parse(filled) as Dynamic;
  const middleware = (name: string) => {
    const found = dynamic.middlewares[name];
    if (found === undefined) throw new Error(`there is no middleware ${name}`);
    return found;
  };
  const routes = Object.values(dynamic.routers).map((router) => {
    const names = router.middlewares.flatMap((name) => middleware(name).chain?.middlewares ?? [name]);
    return { ...router, chain: names.map(middleware) };
  });
  return { ...dynamic, routes };
}

/** Traefik can't be had as a package: what it reads of its files is done by hand here. */
describe("Traefik's configuration", () => {
  const { routes, services } = configuration();
  let stack: ProtectedStack;
  beforeAll(async () => {
    stack = await startProtectedStack();
  });
  afterAll(async () => {
    await stack[Symbol.asyncDispose]();
  });

  it('asks about each route, with a key that no upstream gets', () => {
    const { entryPoints } = parse(configurationOf('traefik')['traefik.yaml'] ?? '') as Record<string, object>;
    for (const { chain, service, ...router } of routes) {
      expect(Object.keys(services)).toContain(service);
      for (const name of router.entryPoints) expect(entryPoints).toHaveProperty(name);
      const [before, ask, after] = chain;
      expect(chain).toHaveLength(3);
      const asked = ask?.forwardAuth?.address.includes(':8081/') ? 'identity' : 'ratelimit';
      expect(before?.headers?.customRequestHeaders).toEqual({
        'X-Optix-Authorization': `Bearer key of ${asked}`,
      });
      expect(after?.headers?.customRequestHeaders).toEqual({ 'X-Optix-Authorization': '' });
      expect(ask?.forwardAuth?.authRequestHeaders).toEqual(['Authorization', 'X-Optix-Authorization']);
    }
  });

  it('takes off whatever a client says of itself', () => {
    for (const { chain } of routes) {
      const source = chain[1]?.forwardAuth?.authResponseHeadersRegex.replace('(?i)', '') ?? '';
      const taken = new RegExp(source, 'i');
      for (const name of [...IDENTITY_HEADERS, 'X_auth_user_id', 'X-Auth_roles']) expect(name).toMatch(taken);
      expect('Authorization').not.toMatch(taken);
    }
  });

  it.each(routes.map(({ rule, chain }) => [rule, chain] as const))(
    'has a question for %s that the service understands',
    async (rule, chain) => {
      const { token } = await stack.signIn(['user', 'admin']);
      const address = new URL(chain[1]?.forwardAuth?.address ?? '');
      const isIdentity = address.port === '8081';
      address.host = new URL(isIdentity ? stack.identity.httpUrl : stack.ratelimit.httpUrl).host;
      const ask = async (headers: http.OutgoingHttpHeaders) =>
        await new Promise<http.IncomingMessage>((resolve, reject) => {
          const told = {
            'x-forwarded-method': 'GET',
            'x-forwarded-uri': /`(.*)`/.exec(rule)?.[1],
            'x-forwarded-host': 'api.example.com',
            'x-forwarded-for': '192.0.2.7',
          };
          const key = { 'x-optix-authorization': `Bearer ${GATEWAY_KEY}` };
          http
            .get(address, { headers: { ...told, ...key, ...headers } })
            .on('response', (response) => resolve(response.resume()))
            .on('error', reject);
        });
      const allowed = await ask({ authorization: `Bearer ${token}` });
      expect(allowed.statusCode).toBe(200);
      if (isIdentity) for (const name of IDENTITY_HEADERS) expect(allowed.headers).toHaveProperty(name);
      expect((await ask({})).statusCode).toBe(isIdentity ? 401 : 200);
    },
  );
});
