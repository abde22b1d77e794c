import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { NODE_COMPILE_CACHE } from '../testing/compile-cache.ts';
import { createTestDatabase } from '../testing/database.ts';

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
  readonly stdout: string;
}

const running = new Set<ChildProcess>();
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts a service as a process of its own, as an operator would. */
function start(service: 'identity' | 'ratelimit', env: Record<string, string>) {
  const main = fileURLToPath(new URL(`../services/${service}/main.ts`, import.meta.url));
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code) => {
      running.delete(child);
      resolve({ code, stdout, stderr });
    });
  });
  /** Waits until it serves; answers the ports it took. */
  const serving = async (): Promise<{ grpc_port: number; http_port: number }> => {
    await expect.poll(() => stdout, { timeout: 10_000 }).toContain('"msg":"serving"');
    const line = stdout.split('\n').find((text) => text.includes('"msg":"serving"')) ?? '';
    return JSON.parse(line) as { grpc_port: number; http_port: number };
  };
  return { child, ended, serving };
}

const FREE_PORTS = {
  RATELIMIT_GRPC_PORT: '0',
  RATELIMIT_HTTP_PORT: '0',
  IDENTITY_GRPC_PORT: '0',
  IDENTITY_HTTP_PORT: '0',
};
const NO_DATABASE = 'postgresql://nobody@127.0.0.1:1/none';

async function occupiedPort(): Promise<{ server: Server; port: string }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: String((server.address() as { port: number }).port) };
}

describe('a start that can not work ends with one line that names the setting', () => {
  it.each([
    ['ratelimit', { RATELIMIT_GRPC_PORT: 'many' }, /^RATELIMIT_GRPC_PORT must be a whole number/],
    ['ratelimit', { REDIS_URL: 'http://127.0.0.1' }, /^REDIS_URL must be a URL that starts with redis/],
    ['ratelimit', { BIND_ADDRESS: 'localhost' }, /^BIND_ADDRESS must be an IP address/],
    ['ratelimit', { BIND_ADDRESS: '0.0.0.0' }, /^RATELIMIT_CALLER_KEYS must be set when BIND_ADDRESS/],
    [
      'ratelimit',
      { ENVIRONMENT: 'production' },
      /^RATELIMIT_CALLER_KEYS must be set when ENVIRONMENT=production/,
    ],
    ['ratelimit', { ENVIRONMENT: 'prod' }, /^ENVIRONMENT must be one of development, staging, production/],
    ['identity', {}, /^DATABASE_URL must be set/],
    ['identity', { DATABASE_URL: 'mysql://x' }, /^DATABASE_URL must be a URL that starts with postgresql/],
    [
      'identity',
      { DATABASE_URL: NO_DATABASE, DATABASE_POOL_SIZE: '0' },
      /^DATABASE_POOL_SIZE must be a whole/,
    ],
    [
      'identity',
      { DATABASE_URL: NO_DATABASE, IDENTITY_ENCRYPTION_KEY: 'short' },
      /^IDENTITY_ENCRYPTION_KEY must be 32 bytes/,
    ],
    ['ratelimit', { REDIS_URL: 'redis://h/abc' }, /^REDIS_URL must have the number of a database/],
    ['ratelimit', { REDIS_URL: 'redis://:p%zz@h' }, /^REDIS_URL must have each % .* written as %25\n$/],
    ['ratelimit', { CORS_ORIGINS: '*.example.com' }, /^CORS_ORIGINS must be .* not "\*\.example\.com"\n$/],
    ['identity', { DATABASE_URL: 'postgres:' }, /^DATABASE_URL must name a host\n$/],
    [
      'identity',
      { DATABASE_URL: NO_DATABASE, RATELIMIT_API_KEY: 'clé' },
      /^RATELIMIT_API_KEY must be printable ASCII characters without spaces\n$/,
    ],
    [
      'identity',
      { DATABASE_URL: NO_DATABASE, RATELIMIT_ADDRESS: 'http://x:1' },
      /^RATELIMIT_ADDRESS must be host:port/,
    ],
    ['identity', { DATABASE_URL: NO_DATABASE, TOKEN_ISSUER: 'me' }, /^TOKEN_ISSUER must be a URL/],
  ] as const)('%s with %o', async (service, env, message) => {
    const { ended } = start(service, { ...FREE_PORTS, ...env });
    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it.each([
    ['ratelimit', 'RATELIMIT_GRPC_PORT'],
    ['ratelimit', 'RATELIMIT_HTTP_PORT'],
    ['identity', 'IDENTITY_GRPC_PORT'],
    ['identity', 'IDENTITY_HTTP_PORT'],
  ] as const)('%s with %s taken', async (service, setting) => {
    const { server, port } = await occupiedPort();
    const { ended } = start(service, { ...FREE_PORTS, DATABASE_URL: NO_DATABASE, [setting]: port });
    const { code, stderr } = await ended;
    server.close();
    expect(code).toBe(1);
    expect(stderr).toBe(`${setting}: 127.0.0.1:${port} is already in use\n`);
  });
});

describe('production', () => {
  const production = {
    ...FREE_PORTS,
    ENVIRONMENT: 'production',
    IDENTITY_CALLER_KEYS: `gateway=${'0'.repeat(64)}`,
    RATELIMIT_CALLER_KEYS: `gateway=${'0'.repeat(64)}`,
  };

  it('refuses identity without an encryption key and with the password of an example', async () => {
    const { ended } = start('identity', {
      ...production,
      DATABASE_URL: 'postgresql://optix:change-me@127.0.0.1:1/optix',
    });
    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toContain('IDENTITY_ENCRYPTION_KEY must be set when ENVIRONMENT=production');
    expect(stderr).toContain('DATABASE_URL has the password of an example');
    expect(stderr).not.toContain('change-me');
  });

  it('refuses a password that is not encoded with one line, without showing it', async () => {
    const { ended } = start('identity', {
      ...production,
      DATABASE_URL: 'postgresql://optix:hush%@127.0.0.1:1/optix',
    });
    const { code, stdout, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toBe('DATABASE_URL must have each % of a user name or password written as %25\n');
    expect(stdout).toBe('');
  });

  it('refuses ratelimit with the password of an example', async () => {
    const { ended } = start('ratelimit', { ...production, REDIS_URL: 'redis://:foobared@127.0.0.1:1' });
    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toBe('REDIS_URL has the password of an example, which everybody knows\n');
  });

  it('lets nobody call without a key', async () => {
    const { child, ended, serving } = start('ratelimit', production);
    const { http_port: port } = await serving();
    const response = await fetch(`http://127.0.0.1:${port}/optix.ratelimit.v1.RateLimitService/CheckLimit`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"endpoint":"a","identifier":"b"}',
    });
    expect(response.status).toBe(401);
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
    // Refused before the body is read: whoever is not known is told nothing about it.
    const unreadable = await fetch(
      `http://127.0.0.1:${port}/optix.ratelimit.v1.RateLimitService/CheckLimit`,
      { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"endpoint":' },
    );
    expect(unreadable.status).toBe(401);
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
  });
});

describe('the end of a process', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('%s shuts both services down cleanly', async (signal) => {
    await using database = await createTestDatabase();
    const services = [
      start('ratelimit', FREE_PORTS),
      start('identity', { ...FREE_PORTS, DATABASE_URL: database.url }),
    ];
    for (const { serving } of services) await serving();
    for (const { child } of services) child.kill(signal);
    for (const { ended } of services) {
      const { code, stdout, stderr } = await ended;
      expect(code).toBe(0);
      expect(stderr).toBe('');
      expect(stdout).toContain('"msg":"stopped"');
    }
  });

  it('a second signal ends it at once', async () => {
    const { child, ended, serving } = start('ratelimit', { ...FREE_PORTS, SHUTDOWN_DELAY_MS: '60000' });
    await serving();
    child.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(child.exitCode).toBeNull();
    child.kill('SIGTERM');
    expect((await ended).code).toBe(1);
  });
});
