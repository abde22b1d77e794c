import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRateLimit } from '../services/ratelimit/service.ts';
import { freePort } from '../stack/ports.ts';
import { makeAuthority, makeCertificate } from '../testing/certificates.ts';

const PROGRAM = fileURLToPath(new URL('./health-check.ts', import.meta.url));
const QUIET = { LOG_LEVEL: 'silent', RATELIMIT_GRPC_PORT: '0' };

async function checkHealth(env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, [PROGRAM], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  return { code: code as number, stderr };
}

async function ports() {
  const [identity, ratelimit] = await Promise.all([freePort(), freePort()]);
  return { IDENTITY_HTTP_PORT: String(identity), RATELIMIT_HTTP_PORT: String(ratelimit) };
}

describe('deploy/health-check.ts', () => {
  it('passes where a service can answer its calls, whichever of the two it is', async () => {
    const env = await ports();
    await using _service = await startRateLimit({ ...QUIET, ...env });
    expect(await checkHealth(env)).toEqual({ code: 0, stderr: '' });
  });

  it('looks where the service listens: at any address on loopback', async () => {
    const env = await ports();
    await using _service = await startRateLimit({ ...QUIET, ...env });
    expect(await checkHealth({ ...env, BIND_ADDRESS: '0.0.0.0' })).toEqual({ code: 0, stderr: '' });
  });

  it('fails where the service can not, and says which', async () => {
    const env = await ports();
    const noRedis = `redis://127.0.0.1:${await freePort()}`;
    await using _service = await startRateLimit({ ...QUIET, ...env, REDIS_URL: noRedis });
    const { code, stderr } = await checkHealth(env);
    expect(code).toBe(1);
    const services = [
      'optix.ratelimit.v1.RateLimitService',
      'optix.ratelimit.v1.RateLimitAdminService',
      'envoy.service.ratelimit.v3.RateLimitService',
      'optix.callers.v1.CallerService',
    ];
    expect(stderr).toBe(`${services.map((name) => `${name} is NOT_SERVING`).join(', ')}\n`);
  });

  it('fails where nothing answers', async () => {
    const { code, stderr } = await checkHealth(await ports());
    expect(code).toBe(1);
    expect(stderr).toMatch(/^nothing answers at 127\.0\.0\.1 on \d+ or \d+\n$/);
  });
});

describe('deploy/health-check.ts, of a service with TLS', () => {
  let directory: string;
  const file = (name: string) => join(directory, name);
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'optix-health-check-'));
    for (const name of ['authority', 'stranger']) makeAuthority(directory, name);
    // As in a deployment: for the service's name, not for loopback.
    makeCertificate(directory, 'server', 'authority', { names: ['DNS:ratelimit.example'] });
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const tls = () => ({ TLS_CERT_FILE: file('server.crt'), TLS_KEY_FILE: file('server.key') });
  const required = (authority: string) => ({
    ...tls(),
    TLS_CLIENT_AUTH: 'required',
    TLS_CLIENT_CA_FILE: file(`${authority}.crt`),
  });

  it('passes', async () => {
    const env = { ...(await ports()), ...tls() };
    await using _service = await startRateLimit({ ...QUIET, ...env });
    expect(await checkHealth(env)).toEqual({ code: 0, stderr: '' });
    expect((await checkHealth({ ...env, TLS_CERT_FILE: '', TLS_KEY_FILE: '' })).code).toBe(1);
  });

  it("shows the service's own certificate where one is required", async () => {
    const env = { ...(await ports()), ...required('authority') };
    await using _service = await startRateLimit({ ...QUIET, ...env });
    expect(await checkHealth(env)).toEqual({ code: 0, stderr: '' });
  });

  it('fails where that one is not accepted, and says so', async () => {
    const env = { ...(await ports()), ...required('stranger') };
    await using _service = await startRateLimit({ ...QUIET, ...env });
    const { code, stderr } = await checkHealth(env);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^nothing answers at .*, or TLS_CLIENT_CA_FILE does not vouch for TLS_CERT_FILE\n$/,
    );
  });
});
