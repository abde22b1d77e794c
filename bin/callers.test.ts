import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { keyDigest } from '../runtime/callers/caller-key.ts';
import { type RedisServer, startRedis } from '../stack/redis-server.ts';
import { makeAuthority, makeCertificate } from '../testing/certificates.ts';
import { NODE_COMPILE_CACHE } from '../testing/compile-cache.ts';
import { startTestRateLimit, type TestService } from '../testing/services.ts';
import { CHECKOUT } from './checkout.ts';

/** What `printf %s a-key | sha256sum` prints. */
const DIGEST = '2a8a1240f50636655520ac8ed22aa29473b8517b4abfdbc3bc03bcad73fc8849';

let redis: RedisServer;
let service: TestService;
beforeAll(async () => {
  redis = await startRedis();
  service = await startTestRateLimit({
    REDIS_URL: redis.url,
    RATELIMIT_CALLER_KEYS: `ops=${keyDigest('key-of-ops')};callers.admin`,
  });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await redis.stop();
});

/** The service runs in this process, so that it must not be blocked meanwhile. */
async function optix(
  args: readonly string[],
  { input = '', env = {} }: { input?: string; env?: object } = {},
) {
  const child = spawn(process.execPath, [join(CHECKOUT, 'bin', 'optix.ts'), 'callers', ...args], {
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE, OPTIX_API_KEY: 'key-of-ops', ...env },
  });
  child.stdin.on('error', () => undefined).end(input);
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr, status] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  return { status, stdout, stderr };
}

const there = () => ['--address', service.grpcAddress];

test('create, list, rotate and revoke a key of a running service', async () => {
  const flags = ['--name', 'gateway', '--scopes', 'limits.check, rules.read', '--ttl', '90d'];
  const created = await optix(['create', ...there(), ...flags]);
  expect(created).toMatchObject({ status: 0, stdout: expect.stringMatching(/^optix_[\w-]{43}\n$/) });
  expect(created.stderr).toContain('Nobody can tell it again');

  const { callerKeys } = JSON.parse((await optix(['list', ...there(), '--json'])).stdout);
  expect(callerKeys).toMatchObject([
    {
      name: 'gateway',
      scopes: ['limits.check', 'rules.read'],
      createdBy: 'ops',
      expireTime: expect.stringMatching(/^20/),
    },
  ]);
  const { id } = callerKeys[0];
  expect((await optix(['list', ...there()])).stdout).toMatch(
    new RegExp(
      `^id +name +scopes +state .*\n${id} +gateway +limits\\.check,rules\\.read +good +20\\S+Z +ops +20\\S+Z +never\n$`,
    ),
  );

  const rotated = await optix(['rotate', id, ...there(), '--overlap', '12h', '--json']);
  expect(JSON.parse(rotated.stdout)).toMatchObject({
    key: expect.stringMatching(/^optix_[\w-]{43}$/),
    previous: { id },
  });
  expect(rotated.stdout).not.toContain(created.stdout.trim());

  const revoked = await optix(['revoke', ...there(), '--id', id]);
  expect(revoked).toMatchObject({ status: 0, stdout: expect.stringMatching(/ revoked /) });
  const after = JSON.parse((await optix(['list', ...there(), '--json'])).stdout).callerKeys;
  expect(after.map((key: object) => 'revokeTime' in key)).toEqual([true, false]);
});

test('a caller that is known by its certificate needs no key, where ports ask for a certificate', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'optix-callers-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = (name: string) => join(directory, name);
  makeAuthority(directory, 'authority');
  makeCertificate(directory, 'server', 'authority');
  makeCertificate(directory, 'console', 'authority', { names: ['URI:spiffe://example/console'] });
  const certificates = [{ uri: 'spiffe://example/console' }];
  const callers = [{ name: 'console', scopes: ['callers.admin'], certificates }];
  writeFileSync(file('callers.yaml'), JSON.stringify({ callers }));
  await using secured = await startTestRateLimit({
    REDIS_URL: redis.url,
    CALLERS_FILE: file('callers.yaml'),
    TLS_CERT_FILE: file('server.crt'),
    TLS_KEY_FILE: file('server.key'),
    TLS_CLIENT_AUTH: 'required',
    TLS_CLIENT_CA_FILE: file('authority.crt'),
  });
  const flags = ['--address', secured.grpcAddress, '--ca', file('authority.crt')];
  const certificate = ['--cert', file('console.crt'), '--cert-key', file('console.key')];
  const env = { OPTIX_API_KEY: '' };
  expect(await optix(['list', ...flags, ...certificate], { env })).toMatchObject({ status: 0 });
  expect(await optix(['list', ...flags], { env })).toMatchObject({ status: 1 });
});

test('hash prints the SHA-256 of a key, with or without the end of its line', async () => {
  for (const input of ['a-key', 'a-key\n', 'a-key\r\n']) {
    expect(await optix(['hash'], { input })).toEqual({ status: 0, stdout: `${DIGEST}\n`, stderr: '' });
    expect(JSON.parse((await optix(['hash', '--json'], { input })).stdout)).toEqual({ sha256: DIGEST });
  }
});

test.each([
  ['no key', ''],
  ['two keys', 'one\ntwo\n'],
  ['a key with a space', 'my secret'],
])('hash refuses %s without repeating it', async (_, input) => {
  const { status, stderr } = await optix(['hash'], { input });
  expect(status).toBe(1);
  expect(stderr).toBe('optix: standard input must hold one key: printable ASCII without spaces\n');
});

test.each([
  { args: [], says: 'callers: what?' },
  { args: ['dance'], says: 'callers: "dance" is none of create, list, rotate, revoke, hash' },
  { args: ['list', '--service', 'x'], says: '--service must be identity or ratelimit' },
  { args: ['create', '--name', 'a'], says: '--name and --scopes must be given' },
  {
    args: ['create', '--name', 'a', '--scopes', 'b', '--ttl', 'soon'],
    says: '--ttl must be a number of s, m, h or d',
  },
  { args: ['rotate'], says: '--id must be given' },
  { args: ['revoke', 'a', '--id', 'b'], says: '<id> or --id, not both' },
  { args: ['list', '--address', 'a:1', '--cert', 'x'], says: '--cert and --cert-key must be given together' },
  { args: ['revoke', '--key', 'x'], says: "Unknown option '--key'" },
])('callers $args is refused in one line', async ({ args, says }) => {
  const { status, stdout, stderr } = await optix(args);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toContain(says);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
});

test.each([
  { env: { OPTIX_API_KEY: 'hush' }, says: /^optix: \[unauthenticated\] the call needs the credential/ },
  { env: { OPTIX_API_KEY: '' }, says: /^optix: \[unauthenticated\] the call needs the credential/ },
])('a refusal of the service is one line, without the key', async ({ env, says }) => {
  const { status, stderr } = await optix(['list', ...there()], { env });
  expect(status).toBe(1);
  expect(stderr.trimEnd().split('\n')).toEqual([expect.stringMatching(says)]);
  expect(stderr).not.toContain('hush');
});
