import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { InvalidSettings } from '../runtime/settings.ts';
import { PUBLISHED_BY_COMPOSE, REQUIRED_BY_COMPOSE, SET_BY_COMPOSE } from '../scripts/env-example.ts';
import { settings as identitySettings, readConfig as readIdentity } from '../services/identity/config.ts';
import { settings as ratelimitSettings, readConfig as readRateLimit } from '../services/ratelimit/config.ts';
import { compose, containerEnvironment, interpolated, type OwnService } from './testing-compose.ts';

type Env = Record<string, string | undefined>;

/** A .env as deploy/new-secrets.sh writes it. */
let secrets: Env;
beforeAll(() => {
  const directory = mkdtempSync(join(tmpdir(), 'optix-shape-'));
  const file = join(directory, '.env');
  spawnSync('/bin/sh', [fileURLToPath(new URL('./new-secrets.sh', import.meta.url)), file]);
  secrets = parseEnv(readFileSync(file, 'utf8'));
  rmSync(directory, { recursive: true });
});

const SERVICES = [
  { name: 'identity', readConfig: readIdentity, settings: identitySettings },
  { name: 'ratelimit', readConfig: readRateLimit, settings: ratelimitSettings },
] as const;

/** The variables that a service refuses to start for, with an environment of the production shape that was changed. */
function refused(name: 'identity' | 'ratelimit', change: Env, dotEnv: Env = secrets): string[] {
  const { readConfig } = SERVICES.find((service) => service.name === name) ?? SERVICES[0];
  try {
    readConfig({ ...containerEnvironment(name, dotEnv), ...change });
  } catch (error) {
    if (error instanceof InvalidSettings) return error.problems.map((problem) => problem.split(' ')[0] ?? '');
    throw error;
  }
  return [];
}

describe('what docker-compose.yml starts the services with', () => {
  it.each(SERVICES)('$name takes the secrets of deploy/new-secrets.sh', ({ name, readConfig }) => {
    const config = readConfig(containerEnvironment(name, secrets));
    expect(config).toMatchObject({ environment: 'production', bindAddress: '0.0.0.0' });
    expect(config.redisUrl).toContain('@redis:6379/');
  });

  it('lets identity call ratelimit', () => {
    const identity = readIdentity(containerEnvironment('identity', secrets));
    const ratelimit = readRateLimit(containerEnvironment('ratelimit', secrets));
    expect(identity.rateLimitAddress).toBe(`ratelimit:${ratelimit.grpcPort}`);
    const digest = createHash('sha256').update(String(identity.rateLimitApiKey)).digest('hex');
    expect(ratelimit.callerKeys?.entries).toContainEqual({ name: 'identity', digest, scopes: undefined });
  });

  it.each(REQUIRED_BY_COMPOSE)('is refused before anything starts where %s is missing or empty', (name) => {
    const all = (dotEnv: Env) => interpolated(JSON.stringify(compose.services), dotEnv);
    expect(() => all({ ...secrets, [name]: undefined })).toThrow(`${name} is missing`);
    expect(() => all({ ...secrets, [name]: '' })).toThrow(`${name} is missing: run sh deploy/new-secrets.sh`);
  });

  it.each(SERVICES)('gives $name each of its settings and nobody else’s', ({ name, settings }) => {
    // Inside the containers the ports stay as they are.
    const wanted = Object.values(settings)
      .map(({ env }) => env)
      .filter((env) => !(PUBLISHED_BY_COMPOSE as readonly string[]).includes(env));
    expect(Object.keys(compose.services[name]?.environment ?? {}).sort()).toEqual(wanted.sort());
  });

  it.each(SERVICES)('passes on to $name what .env sets', ({ name, settings }) => {
    const fixed: readonly string[] = [...SET_BY_COMPOSE, ...REQUIRED_BY_COMPOSE, ...PUBLISHED_BY_COMPOSE];
    const free = Object.values(settings)
      .map(({ env }) => env)
      .filter((env) => !fixed.includes(env));
    const given = Object.fromEntries(free.map((env) => [env, `value of ${env}`]));
    expect(containerEnvironment(name, { ...secrets, ...given })).toMatchObject(given);
  });

  it('gives the migrations the database and no other secret', () => {
    expect(Object.keys(containerEnvironment('migrate', secrets))).toEqual(['DATABASE_URL']);
  });
});

describe('a service of the production shape refuses to start', () => {
  const developmentKey = createHash('sha256').update('optix development encryption key').digest('base64');

  it.each<['identity' | 'ratelimit', string, string, string | undefined]>([
    ['identity', 'without caller keys', 'IDENTITY_CALLER_KEYS', undefined],
    ['ratelimit', 'without caller keys', 'RATELIMIT_CALLER_KEYS', undefined],
    ['identity', 'with an API key for a digest', 'IDENTITY_CALLER_KEYS', 'backend=a-key'],
    ['ratelimit', 'with an API key for a digest', 'RATELIMIT_CALLER_KEYS', 'gateway=a-key'],
    ['identity', 'without an encryption key', 'IDENTITY_ENCRYPTION_KEY', ''],
    ['identity', 'with the development key', 'IDENTITY_ENCRYPTION_KEY', developmentKey],
    ['identity', 'with too short an encryption key', 'IDENTITY_ENCRYPTION_KEY', 'c2hvcnQ='],
    ['identity', 'without a database', 'DATABASE_URL', undefined],
  ])('%s %s', (name, _, variable, value) => {
    expect(refused(name, {})).toEqual([]);
    expect(refused(name, { [variable]: value })).toEqual([variable]);
  });

  it.each(['postgres', 'password', 'change-me', 'secret'])('identity with the password "%s"', (password) => {
    expect(refused('identity', {}, { ...secrets, POSTGRES_PASSWORD: password })).toEqual(['DATABASE_URL']);
  });
});

describe('the containers', () => {
  const services = Object.entries(compose.services);
  const own = ['identity', 'ratelimit', 'migrate'] satisfies OwnService[];

  it.each(services)('%s has no rights that it does not need', (_, service) => {
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    });
  });

  it('open no port to other hosts', () => {
    const ports = services
      .flatMap(([, service]) => service.ports ?? [])
      .map((port) => interpolated(port, {}));
    expect(ports.sort()).toEqual([
      '127.0.0.1:50051:50051',
      '127.0.0.1:50052:50052',
      '127.0.0.1:8081:8081',
      '127.0.0.1:8082:8082',
    ]);
  });

  it('of our own are one image', () => {
    expect(own.map((name) => compose.services[name]?.image)).toEqual(['optix', 'optix', 'optix']);
  });

  it('start in order: the migrations have run and the stores are healthy', () => {
    const conditions = (name: OwnService) =>
      Object.entries(compose.services[name]?.depends_on ?? {}).map(
        ([on, { condition }]) => `${on} ${condition}`,
      );
    expect(conditions('identity')).toContain('migrate service_completed_successfully');
    expect(conditions('migrate')).toEqual(['postgres service_healthy']);
    expect(conditions('ratelimit')).toEqual(['redis service_healthy']);
  });

  it.each(services.filter(([name]) => name !== 'migrate'))('%s is watched and restarted', (_, service) => {
    expect(service.restart).toBe('unless-stopped');
    expect(service.healthcheck).toHaveProperty('test');
  });
});
