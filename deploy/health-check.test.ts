import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { startRateLimit } from '../services/ratelimit/service.ts';
import { freePort } from '../stack/ports.ts';

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
    expect(stderr).toBe(
      'optix.ratelimit.v1.RateLimitService is NOT_SERVING, optix.ratelimit.v1.RateLimitAdminService is NOT_SERVING\n',
    );
  });

  it('fails where nothing answers', async () => {
    const { code, stderr } = await checkHealth(await ports());
    expect(code).toBe(1);
    expect(stderr).toMatch(/^nothing answers at 127\.0\.0\.1 on \d+ or \d+\n$/);
  });
});
