import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { collectingLogger } from '../../testing/collecting-logger.ts';
import { InvalidFile } from '../invalid-file.ts';
import { type CallersFile, readCallersFile } from './callers-file.ts';
import { CallersFileWatch } from './callers-file-watch.ts';
import { policy, RPCS } from './testing-callers.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const newJwk = () => ({ ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), kid: 'a' });

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'callers-'));
  path = join(directory, 'callers.yaml');
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function read(text: string): Promise<CallersFile> {
  await writeFile(path, text);
  return await readCallersFile(path, policy);
}

async function problemsOf(text: string): Promise<readonly string[]> {
  try {
    await read(text);
  } catch (error) {
    if (error instanceof InvalidFile) return error.problems.map((each) => each.replace(path, 'FILE'));
    throw error;
  }
  return [];
}

describe('a callers file', () => {
  it('names callers with their scopes and credentials, issuers, and who may use an RPC', async () => {
    await writeFile(join(directory, 'keys.json'), JSON.stringify({ keys: [newJwk()] }));
    const { document, keySets } = await read(`
callers:
  - name: gateway
    scopes: [echo.read]
    api_keys: [${A.toUpperCase()}, ${B}]
    certificates:
      - uri: spiffe://example/gateway
      - dns: gateway.example
      - common_name: gateway
      - sha256: "${'CD:'.repeat(31)}CD"
    service_tokens:
      - { issuer: https://a.example, subject: gateway }
  - name: ops
    scopes: ['*']
    service_tokens: [{ issuer: https://b.example, subject: ops }]
issuers:
  - { issuer: https://a.example, audience: echo, jwks_file: keys.json }
  - { issuer: https://b.example, jwks_url: https://b.example/jwks.json }
  - { issuer: https://c.example, keys: [${JSON.stringify(newJwk())}] }
policy:
  ${RPCS.echo}: { callers: [gateway] }
`);
    expect(document.callers[0]).toEqual({
      name: 'gateway',
      scopes: ['echo.read'],
      apiKeys: [A, B],
      certificates: [
        { kind: 'uri', value: 'spiffe://example/gateway' },
        { kind: 'dns', value: 'gateway.example' },
        { kind: 'common_name', value: 'gateway' },
        { kind: 'sha256', value: 'cd'.repeat(32) },
      ],
      serviceTokens: [{ issuer: 'https://a.example', subject: 'gateway' }],
    });
    expect(document.issuers).toMatchObject([
      { issuer: 'https://a.example', audience: 'echo', source: { file: 'keys.json' } },
      { issuer: 'https://b.example', source: { url: 'https://b.example/jwks.json' } },
      { issuer: 'https://c.example', source: { keys: { keys: [{ kid: 'a' }] } } },
    ]);
    expect(document.policy).toEqual([{ rpc: RPCS.echo, callers: ['gateway'] }]);
    expect(keySets.get('keys.json')?.keys).toHaveLength(1);
  });

  const caller = (fields: string) => `callers:\n- {name: a, scopes: [echo.read], ${fields}}`;
  const issuer = (fields: string) => `callers: []\nissuers:\n- {issuer: x, ${fields}}`;
  const key = `api_keys: [${A}]`;
  it.each<[string, string, readonly string[]]>([
    ['nothing', '', ['FILE:1:1 must be of the type object']],
    ['no callers', 'issuers: []', ['FILE:1:1 callers must be set']],
    ['broken YAML', 'callers: [', [expect.stringMatching(/^FILE:1:11 /) as string]],
    ['two documents', 'callers: []\n---\ncallers: []', ['FILE:2:1 must be one document']],
    ['an unknown field', 'callers: []\ncaller: []', ['FILE:2:1 caller is no known field']],
    [
      'a misspelt field of a caller',
      caller(`${key}, api_key: x`),
      [expect.stringMatching(/^FILE:2:\d+ callers\[0\].api_key is no known field$/) as string],
    ],
    [
      'a caller without credentials',
      'callers:\n- {name: a, scopes: [echo.read]}',
      ['FILE:2:3 callers[0] must have api_keys, certificates or service_tokens'],
    ],
    [
      'a bad name',
      `callers:\n- name: Gate Way\n  scopes: [echo.read]\n  ${key}`,
      ['FILE:2:3 callers[0].name must be 1 to 64 of a-z 0-9 . _ -, first a letter or digit'],
    ],
    [
      'no scopes',
      `callers:\n- {name: a, scopes: [], ${key}}`,
      ['FILE:2:13 callers[0].scopes must not be empty'],
    ],
    [
      'a scope of another service',
      `callers:\n- name: a\n  scopes: [echo.read, users.read]\n  ${key}`,
      ['FILE:3:23 callers[0].scopes[1] is no scope of this service'],
    ],
    [
      'a key instead of its digest',
      caller('api_keys: [optix_secret]'),
      [
        'FILE:2:45 callers[0].api_keys[0] must be a SHA-256 in hex (64 digits); `optix callers hash` prints it',
      ],
    ],
    [
      'one key for two callers',
      `callers:\n- {name: a, scopes: ['*'], ${key}}\n- {name: b, scopes: ['*'], ${key}}`,
      ['FILE:3:39 callers[1].api_keys[0] is there twice'],
    ],
    [
      'one name for two callers',
      `callers:\n- {name: a, scopes: ['*'], ${key}}\n- {name: a, scopes: ['*'], api_keys: [${B}]}`,
      ['FILE:3:4 callers[1].name is there twice'],
    ],
    [
      'one certificate for two callers, though the case differs',
      `callers:\n- {name: a, scopes: ['*'], certificates: [{dns: x.y}]}\n- {name: b, scopes: ['*'], certificates: [{dns: X.y}]}`,
      ['FILE:3:43 callers[1].certificates[0] is there twice'],
    ],
    [
      'a certificate known by two things at once',
      caller('certificates: [{uri: a, dns: b}]'),
      ['FILE:2:49 callers[0].certificates[0] must have one of uri, dns, common_name and sha256'],
    ],
    [
      'an issuer that is not there',
      caller('service_tokens: [{issuer: x, subject: y}]'),
      ['FILE:2:52 callers[0].service_tokens[0].issuer is not one of the issuers'],
    ],
    [
      'an issuer without keys',
      issuer('audience: x'),
      ['FILE:3:3 issuers[0] must have one of jwks_file, jwks_url and keys'],
    ],
    [
      'keys over cleartext',
      issuer('jwks_url: "http://b.example/x"'),
      ['FILE:3:15 issuers[0].jwks_url must be an https:// URL without a password'],
    ],
    [
      'a shared secret as a key',
      issuer('keys: [{kty: oct, k: AAAA}]'),
      [expect.stringContaining('issuers[0].keys[0].kty must be OKP, EC or RSA: a public key') as string],
    ],
    [
      'an RPC that is not there',
      'callers: []\npolicy: {x/Y: {callers: [a]}}',
      ['FILE:2:10 policy.x/Y is no RPC of this service'],
    ],
    [
      'a key set that is not there',
      issuer('jwks_file: none.json'),
      [expect.stringContaining("none.json can't be read: ENOENT") as string],
    ],
  ])('with %s is refused whole, naming line and field', async (_, text, problems) => {
    expect(await problemsOf(text)).toEqual(problems);
  });

  it('with a private key is refused without repeating it', async () => {
    const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
    const problems = await problemsOf(issuer(`keys: [${JSON.stringify(jwk)}]`));
    expect(problems).toEqual([expect.stringContaining('issuers[0].keys[0] is a private key')]);
    expect(problems.join()).not.toContain(jwk.d);
  });

  it('that tells all its problems has at most 50', async () => {
    const callers = Array.from({ length: 100 }, () => '- {}').join('\n');
    expect(await problemsOf(`callers:\n${callers}`)).toHaveLength(51);
  });
});

describe('a watched callers file', () => {
  const text = (...names: readonly string[]) =>
    `callers: ${JSON.stringify(
      names.map((name, index) => ({ name, scopes: ['*'], api_keys: [String(index).repeat(64)] })),
    )}`;
  let resources: AsyncDisposableStack;
  beforeEach(() => {
    resources = new AsyncDisposableStack();
  });
  afterEach(() => resources.disposeAsync());

  async function watch(content: string) {
    const { logger, entries } = collectingLogger();
    const seen: string[][] = [];
    const onChange = ({ document }: CallersFile) => {
      seen.push(document.callers.map(({ name }) => name));
    };
    const current = await read(content);
    resources.use(new CallersFileWatch({ path, policy, current, logger, onChange, everyMs: 20 }));
    return { seen, log: () => entries.map(({ msg }) => String(msg)) };
  }

  it('is taken anew when it changes: written in place, replaced, or behind a link', async () => {
    const { seen } = await watch(text('a'));
    await writeFile(path, text('a', 'b'));
    await vi.waitFor(() => expect(seen).toEqual([['a', 'b']]));
    const next = join(directory, 'next');
    await writeFile(next, text('c'));
    await rename(next, path);
    await vi.waitFor(() => expect(seen.at(-1)).toEqual(['c']));
    // As Kubernetes mounts it.
    await mkdir(join(directory, 'v2'));
    await writeFile(join(directory, 'v2', 'callers.yaml'), text('d'));
    await symlink(join(directory, 'v2', 'callers.yaml'), next);
    await rename(next, path);
    await vi.waitFor(() => expect(seen.at(-1)).toEqual(['d']));
  });

  it('is left alone while it stays as it is', async () => {
    const { seen, log } = await watch(text('a'));
    await writeFile(path, text('a'));
    await sleep(200);
    expect([seen, log()]).toEqual([[], []]);
  });

  it('is refused whole where it is bad, once in the log, and taken when it is good again', async () => {
    const { seen, log } = await watch(text('a'));
    await writeFile(path, 'callers: [{name: b}]');
    await sleep(300);
    await rm(path);
    await sleep(300);
    expect(seen).toEqual([]);
    const refusals = log().filter((line) => line.includes('is refused: the callers stay as they were'));
    expect(refusals).toHaveLength(2);
    await writeFile(path, text('b'));
    await vi.waitFor(() => expect(seen).toEqual([['b']]));
  });

  it('is taken anew when a key set changes that it names, also one that was missing', async () => {
    const { seen } = await watch(text('a'));
    await writeFile(path, `${text('b')}\nissuers: [{issuer: x, jwks_file: keys.json}]`);
    await sleep(200);
    expect(seen).toEqual([]);
    const keys = join(directory, 'keys.json');
    await writeFile(keys, JSON.stringify({ keys: [newJwk()] }));
    await vi.waitFor(() => expect(seen).toEqual([['b']]));
    await writeFile(keys, JSON.stringify({ keys: [newJwk(), newJwk()] }));
    await vi.waitFor(() => expect(seen).toHaveLength(2));
  });
});
