import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  create,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  type DescService,
} from '@bufbuild/protobuf';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import { ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts';
import { RateLimitAdminService } from '../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { RateLimitService } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { keyDigest } from '../runtime/callers/caller-key.ts';
import { readCallersDocument } from '../runtime/callers/callers-document.ts';
import { ANY_CALLER, type Policy } from '../runtime/callers/policy.ts';
import { answersStream, asksStream, methodName } from '../runtime/service-table.ts';
import { policy as identityPolicy } from '../services/identity/policy.ts';
import { policy as ratelimitPolicy } from '../services/ratelimit/policy.ts';
import { makeAuthority, makeCertificate } from '../testing/certificates.ts';
import { createTestDatabase } from '../testing/database.ts';
import { failure, reasonOf } from '../testing/failure.ts';
import { servicesOf, startTestIdentity, startTestRateLimit, type TestService } from '../testing/services.ts';

const ALL_KEY = 'a-key-that-may-do-everything';
const ISSUER = 'https://issuer.example';
const issuerKey = generateKeyPairSync('ed25519');

/** A refusal as a caller sees it, apart from how a transport carries it. */
interface Refusal {
  readonly code: string;
  readonly reason: string | undefined;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>> | undefined;
}

/** What a call with an empty message comes to; undefined where it goes on, or ends well. */
async function outcome(
  transport: Transport,
  method: DescMethod,
  authorization?: string,
): Promise<Refusal | undefined> {
  const headers = authorization === undefined ? {} : { authorization };
  const abort = new AbortController();
  // Long enough for any refusal; a stream that goes on does so for ever.
  const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(2_000)]);
  const message = create(method.input);
  try {
    if (!asksStream(method) && !answersStream(method)) {
      await transport.unary(method as DescMethodUnary, signal, 2_000, headers, message);
    } else {
      const requests = (async function* () {
        yield message;
      })();
      const response = await transport.stream(
        method as DescMethodStreaming,
        signal,
        2_000,
        headers,
        requests,
      );
      for await (const _ of response.message) break;
    }
    return undefined;
  } catch (error) {
    const { code, rawMessage, findDetails } = bound(ConnectError.from(error));
    const info = findDetails(ErrorInfoSchema)[0];
    return { code: Code[code], reason: info?.reason, message: rawMessage, metadata: info?.metadata };
  } finally {
    abort.abort();
  }
}

function bound(error: ConnectError) {
  const { code, rawMessage } = error;
  return { code, rawMessage, findDetails: error.findDetails.bind(error) };
}

async function serviceToken(audience = 'optix-ratelimit', key = issuerKey.privateKey): Promise<string> {
  return await new SignJWT()
    .setProtectedHeader({ alg: 'EdDSA', kid: 'k' })
    .setIssuer(ISSUER)
    .setAudience(audience)
    .setSubject('gateway')
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(key);
}

const directory = mkdtempSync(join(tmpdir(), 'e2e-callers-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** A callers file whose callers each lack all scopes but one, and one that has them all. */
function writeCallers(name: string, policy: Policy): string {
  const file = join(directory, `${name}.yaml`);
  const jwk = { ...issuerKey.publicKey.export({ format: 'jwk' }), kid: 'k' };
  const callers = [...policy.scopes].map((scope) => ({
    name: scope,
    scopes: [scope],
    api_keys: [keyDigest(`key of ${scope}`.replaceAll(' ', '-'))],
  }));
  const all = {
    name: 'all',
    scopes: ['*'],
    api_keys: [keyDigest(ALL_KEY)],
    service_tokens: [{ issuer: ISSUER, subject: 'gateway' }],
  };
  const issuers = [{ issuer: ISSUER, audience: 'optix-ratelimit', keys: [jwk] }];
  writeFileSync(file, JSON.stringify({ callers: [...callers, all], issuers }));
  return file;
}

const keyOf = (scope: string) => `Bearer key-of-${scope}`;

const SERVICES = [
  {
    name: 'ratelimit',
    policy: ratelimitPolicy,
    start: async (env: Record<string, string>) => await startTestRateLimit(env),
  },
  {
    name: 'identity',
    policy: identityPolicy,
    start: async (env: Record<string, string>) => {
      const database = await createTestDatabase();
      const service = await startTestIdentity({
        DATABASE_URL: database.url,
        RATE_LIMIT_ENABLED: 'false',
        ...env,
      });
      const end = service[Symbol.asyncDispose].bind(service);
      return Object.assign(service, {
        async [Symbol.asyncDispose]() {
          await end();
          await database[Symbol.asyncDispose]();
        },
      });
    },
  },
];

/** All that a port offers: what is the service's own, and what of Envoy's it speaks. */
async function contractsOf(name: string): Promise<readonly DescService[]> {
  const envoys = name === 'identity' ? 'auth' : 'ratelimit';
  const folders = [
    `optix/${name}/v1`,
    'optix/callers/v1',
    'optix/operations/v1',
    `envoy/service/${envoys}/v3`,
  ];
  return (await Promise.all(folders.map(servicesOf))).flat();
}

describe.each(SERVICES)('every RPC of $name', ({ name, policy, start }) => {
  let service: TestService;
  let methods: readonly DescMethod[];
  let transports: readonly Transport[];
  beforeAll(async () => {
    service = await start({ CALLERS_FILE: writeCallers(name, policy) });
    const services = await contractsOf(name);
    methods = services.flatMap((each) => each.methods);
    const http = createConnectTransport({ baseUrl: service.httpUrl, httpVersion: '2' });
    transports = [service.transport('gRPC'), http];
  });
  afterAll(() => service[Symbol.asyncDispose]());

  /** What each RPC comes to on both transports, by its name. */
  async function outcomes(authorizationFor: (method: DescMethod) => string | undefined) {
    const all: [string, Refusal | undefined][] = [];
    for (const method of methods) {
      for (const transport of transports) {
        all.push([methodName(method), await outcome(transport, method, authorizationFor(method))]);
      }
    }
    return all;
  }

  it('is refused with the same bytes, whatever is wrong with the credential, on both transports', async () => {
    const evil = generateKeyPairSync('ed25519').privateKey;
    const wrong = [
      undefined,
      '',
      'Bearer',
      'Bearer wrong',
      `Bearer ${keyDigest(ALL_KEY)}`,
      `Basic ${ALL_KEY}`,
      `Bearer ${await serviceToken('optix-ratelimit', evil)}`,
      'Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIn0.AA',
    ];
    for (const authorization of wrong) {
      for (const [rpc, refusal] of await outcomes(() => authorization)) {
        expect([rpc, refusal]).toEqual([
          rpc,
          {
            code: 'Unauthenticated',
            reason: 'CALLER_UNAUTHENTICATED',
            message:
              'the call needs the credential of a known caller: authorization: Bearer <API key or service token>, or a client certificate',
            metadata: {},
          },
        ]);
      }
    }
  }, 120_000);

  it('is refused to a known caller that has other scopes, naming the one it needs', async () => {
    const scopes = [...policy.scopes];
    const needs = new Map(methods.map((method) => [methodName(method), policy.needOf(methodName(method))]));
    const others = await outcomes((method) =>
      keyOf(scopes.find((scope) => scope !== needs.get(methodName(method))) ?? ''),
    );
    for (const [rpc, refusal] of others) {
      const scope = needs.get(rpc);
      if (scope === ANY_CALLER) {
        expect([rpc, refusal?.reason]).toEqual([rpc, undefined]);
        continue;
      }
      expect([rpc, refusal]).toEqual([
        rpc,
        {
          code: 'PermissionDenied',
          reason: 'CALLER_NOT_PERMITTED',
          message: `the caller needs the scope ${scope}`,
          metadata: { rpc, scope },
        },
      ]);
    }
  }, 120_000);

  it('is open to a caller that has the scope, and no other', async () => {
    const mine = (method: DescMethod) => {
      const need = policy.needOf(methodName(method)) ?? '';
      return keyOf(need === ANY_CALLER ? ([...policy.scopes][0] ?? '') : need);
    };
    for (const [rpc, refusal] of await outcomes(mine)) {
      const isRefused = /^(?:CALLER_|ADMIN_)(?!KEY)/.test(refusal?.reason ?? '');
      expect([rpc, isRefused, refusal?.code === 'Unimplemented']).toEqual([rpc, false, false]);
    }
  }, 120_000);

  it('says who called in the access log, and never by which key', async () => {
    await outcome(transports[0] as Transport, methods[0] as DescMethod, `Bearer ${ALL_KEY}`);
    await vi.waitFor(() => expect(service.log.some((entry) => entry['caller'] !== undefined)).toBe(true));
    expect(JSON.stringify(service.log)).not.toContain(ALL_KEY);
    expect(JSON.stringify(service.log)).not.toContain(keyDigest(ALL_KEY));
  });
});

describe('a process with ADMIN_RPCS=off', () => {
  it.each(SERVICES)(
    'of $name refuses administration to everybody, and nothing else',
    async (each) => {
      const { name, policy, start } = each;
      const file = writeCallers(`${name}-off`, policy);
      for (const env of [{ CALLERS_FILE: file, ADMIN_RPCS: 'off' }, { ADMIN_RPCS: 'off' }]) {
        await using service = await start(env);
        const services = await contractsOf(name);
        for (const method of services.flatMap((service) => service.methods)) {
          const refusal = await outcome(service.transport('gRPC'), method, `Bearer ${ALL_KEY}`);
          const isAdmin = policy.isAdmin(policy.needOf(methodName(method)) ?? '');
          expect([methodName(method), refusal?.reason === 'ADMIN_RPCS_OFF']).toEqual([
            methodName(method),
            isAdmin,
          ]);
          if (isAdmin) expect(refusal?.code).toBe('PermissionDenied');
        }
      }
    },
    120_000,
  );
});

describe('the callers file', () => {
  const admin = (service: TestService, key: string, transport: 'gRPC' | 'HTTP' = 'gRPC') => {
    const client = createClient(RateLimitAdminService, service.transport(transport));
    return async () => await client.listRules({}, { headers: { authorization: `Bearer ${key}` } });
  };

  it('makes callers known by service token on both transports', async () => {
    await using service = await startTestRateLimit({ CALLERS_FILE: writeCallers('tokens', ratelimitPolicy) });
    const token = await serviceToken();
    for (const transport of ['gRPC', 'HTTP'] as const) {
      expect((await admin(service, token, transport)()).rules.length).toBeGreaterThan(0);
      // The first one is checked, the second one remembered.
      expect((await admin(service, token, transport)()).rules.length).toBeGreaterThan(0);
    }
    const other = await failure(admin(service, await serviceToken('optix-identity'))());
    expect([other.code, reasonOf(other)]).toEqual([Code.Unauthenticated, 'CALLER_UNAUTHENTICATED']);
  });

  it('makes callers known by client certificate on both transports, never past a bad bearer', async () => {
    makeAuthority(directory, 'authority');
    makeCertificate(directory, 'server', 'authority');
    makeCertificate(directory, 'gateway', 'authority', { names: ['URI:spiffe://example/gateway'] });
    makeCertificate(directory, 'nobody', 'authority', { names: ['URI:spiffe://example/nobody'] });
    const path = (name: string) => join(directory, name);
    const certificates = [{ uri: 'spiffe://example/gateway' }];
    writeFileSync(
      path('mtls.yaml'),
      JSON.stringify({ callers: [{ name: 'gateway', scopes: ['limits.check'], certificates }] }),
    );
    await using service = await startTestRateLimit({
      CALLERS_FILE: path('mtls.yaml'),
      TLS_CERT_FILE: path('server.crt'),
      TLS_KEY_FILE: path('server.key'),
      TLS_CLIENT_AUTH: 'optional',
      TLS_CLIENT_CA_FILE: path('authority.crt'),
      RATELIMIT_ACCESS_LOG: 'all',
    });
    const ca = readFileSync(path('authority.crt'));
    const baseUrl = service.httpUrl.replace('http:', 'https:');
    const check = async (way: 'gRPC' | 'HTTP', name: string | undefined, authorization?: string) => {
      const shown = name && {
        cert: readFileSync(path(`${name}.crt`)),
        key: readFileSync(path(`${name}.key`)),
      };
      const tls = { ca, ...(shown || {}) };
      using grpc = createGrpcTransport({ address: service.grpcAddress, tls });
      const http = createConnectTransport({ baseUrl, httpVersion: '1.1', nodeOptions: tls });
      const client = createClient(RateLimitService, way === 'gRPC' ? grpc : http);
      const headers = authorization === undefined ? {} : { authorization };
      return await client
        .checkLimit({ endpoint: 'orders', identifier: 'user:1' }, { headers })
        .then(({ allowed }) => allowed, reasonOf);
    };
    for (const way of ['gRPC', 'HTTP'] as const) {
      expect(await check(way, 'gateway')).toBe(true);
      expect(await check(way, 'nobody')).toBe('CALLER_UNAUTHENTICATED');
      expect(await check(way, undefined)).toBe('CALLER_UNAUTHENTICATED');
      for (const bad of ['Bearer wrong', 'Basic x', 'Bearer']) {
        expect(await check(way, 'gateway', bad)).toBe('CALLER_UNAUTHENTICATED');
      }
    }
    const known = service.log.filter(({ caller, code }) => caller === 'gateway' && code === 'ok');
    expect(known.map(({ protocol }) => protocol)).toEqual(['grpc', 'connect']);
  });

  it('narrows an RPC down to some callers, and is read anew within a second', async () => {
    const file = join(directory, 'narrow.yaml');
    const callers = ['one', 'two'].map((name) => ({
      name,
      scopes: ['rules.read'],
      api_keys: [keyDigest(`key-${name}`)],
    }));
    const rpc = 'optix.ratelimit.v1.RateLimitAdminService/ListRules';
    const write = (names: readonly string[]) =>
      writeFileSync(file, JSON.stringify({ callers, policy: { [rpc]: { callers: names } } }));
    write(['one']);
    await using service = await startTestRateLimit({ CALLERS_FILE: file });
    await admin(service, 'key-one')();
    const refusal = await failure(admin(service, 'key-two')());
    expect([refusal.code, reasonOf(refusal)]).toEqual([Code.PermissionDenied, 'CALLER_NOT_PERMITTED']);
    write(['two']);
    await vi.waitFor(async () => await admin(service, 'key-two')(), { timeout: 3000 });
    expect((await failure(admin(service, 'key-one')())).code).toBe(Code.PermissionDenied);
    writeFileSync(file, 'callers: [{}]');
    await vi.waitFor(() =>
      expect(service.log.some(({ msg }) => String(msg).startsWith('the callers file is refused'))).toBe(true),
    );
    await admin(service, 'key-two')();
  });

  it('stops the start where it is bad, naming the setting, line and field', async () => {
    const file = join(directory, 'bad.yaml');
    writeFileSync(file, 'callers:\n- name: a\n  scopes: [users.read]\n  api_keys: []\n');
    await expect(startTestRateLimit({ CALLERS_FILE: file })).rejects.toThrow(
      `CALLERS_FILE ${file}:2:3 callers[0] must have api_keys, certificates or service_tokens`,
    );
  });

  it('ends the streams of a caller that it no longer has', async () => {
    const file = join(directory, 'streams.yaml');
    const caller = (name: string) => ({ name, scopes: ['*'], api_keys: [keyDigest(`key-${name}`)] });
    writeFileSync(file, JSON.stringify({ callers: [caller('one'), caller('two')] }));
    await using service = await startTestRateLimit({ CALLERS_FILE: file });
    const abort = new AbortController();
    const watch = async (key: string) => {
      const headers = { authorization: `Bearer ${key}` };
      const client = createClient(RateLimitAdminService, service.transport('gRPC'));
      for await (const _ of client.watchDecisions({}, { headers, signal: abort.signal }));
    };
    const checks = async (key: string) => {
      const headers = { authorization: `Bearer ${key}` };
      const client = createClient(RateLimitService, service.transport('gRPC'));
      const requests = (async function* () {
        yield { items: [{ id: 1, check: { endpoint: 'orders', identifier: 'user:1' } }] };
        await new Promise((resolve) => abort.signal.addEventListener('abort', resolve));
      })();
      for await (const _ of client.streamCheckLimits(requests, { headers, signal: abort.signal }));
    };
    const ended: string[] = [];
    const note = (name: string) => (error: unknown) => {
      ended.push(`${name} ${reasonOf(ConnectError.from(error))}`);
    };
    const open = [
      watch('key-one').catch(note('watch one')),
      checks('key-one').catch(note('checks one')),
      watch('key-two').catch(note('watch two')),
    ];
    await vi.waitFor(() => admin(service, 'key-one')());
    expect(ended).toEqual([]);
    writeFileSync(file, JSON.stringify({ callers: [caller('two')] }));
    await vi.waitFor(() => expect(ended).toHaveLength(2), { timeout: 5000 });
    expect(ended.sort()).toEqual(['checks one CALLER_UNAUTHENTICATED', 'watch one CALLER_UNAUTHENTICATED']);
    abort.abort();
    await Promise.all(open);
  });
});

describe('caller keys of the settings', () => {
  it('have the default scopes, or those that stand with them', async () => {
    const entry = (name: string, scopes = '') => `${name}=${keyDigest(`key-${name}`)}${scopes}`;
    const keys = [entry('gateway'), entry('ops', ';rules.read;limits.reset'), entry('root', ';*')].join(',');
    await using service = await startTestRateLimit({ RATELIMIT_CALLER_KEYS: keys });
    const may = async (name: string) => {
      const headers = { authorization: `Bearer key-${name}` };
      const checks = createClient(RateLimitService, service.transport('gRPC'));
      const admin = createClient(RateLimitAdminService, service.transport('gRPC'));
      const calls = [
        checks.checkLimit({ endpoint: 'orders', identifier: 'user:1' }, { headers }),
        admin.listRules({}, { headers }),
        admin.resetLimit({ endpoint: 'orders', identifier: 'user:1' }, { headers }),
        admin.deleteRule({ name: 'nothing' }, { headers }),
      ];
      const codes = await Promise.allSettled(calls);
      return codes.map((each) => each.status === 'fulfilled' || each.reason.code !== Code.PermissionDenied);
    };
    expect(await may('gateway')).toEqual([true, false, false, false]);
    expect(await may('ops')).toEqual([false, true, true, false]);
    expect(await may('root')).toEqual([true, true, true, true]);
  });

  it('stop the start where they name a scope that the service does not have', async () => {
    const keys = `gateway=${keyDigest('x')};users.read`;
    await expect(startTestRateLimit({ RATELIMIT_CALLER_KEYS: keys })).rejects.toThrow(
      'RATELIMIT_CALLER_KEYS gives gateway the scope users.read, which this service does not have',
    );
  });
});

describe('docs/callers.md', () => {
  const page = readFileSync(new URL('../docs/callers.md', import.meta.url), 'utf8');

  it('shows callers files that are good', () => {
    const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => text);
    expect(blocks).toHaveLength(3);
    for (const block of blocks) {
      expect(readCallersDocument(block, ratelimitPolicy).problems).toEqual([]);
    }
  });

  it.each(SERVICES)('has each RPC of $name beside the scope that it needs', ({ name, policy }) => {
    const section = page.split(`\n${name} (\`services/${name}/policy.ts\`):\n`)[1]?.split('\n\n')[0] ?? '';
    const written = section.split('\n').flatMap((row) => {
      const [, scope = '', rpcs = ''] = /^\| `?([a-z. ]+?)`? \| (.*) \|$/.exec(row) ?? [];
      return rpcs.split(/\. /).flatMap((part) => {
        const [service, methods = ''] = part.split(': ');
        if (part === 'GET /metrics') return [`${part} ${scope}`];
        return methods ? methods.split(', ').map((method) => `${service}/${method} ${scope}`) : [];
      });
    });
    const needed = [...policy.rpcs].map((rpc) => `${rpc.split('.').at(-1)} ${policy.needOf(rpc)}`);
    expect(written.sort()).toEqual(needed.sort());
  });
});
