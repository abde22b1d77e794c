import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InvalidSettings } from '../runtime/settings.ts';
import { settings as identity, readConfig as readIdentity } from '../services/identity/config.ts';
import { settings as ratelimit, readConfig as readRateLimit } from '../services/ratelimit/config.ts';
import { DEFAULT_RULES } from '../services/ratelimit/domain/default-rules.ts';
import { defineRule } from '../services/ratelimit/domain/rule.ts';
import { readEnvoyYaml } from '../services/ratelimit/storage/envoy/envoy-yaml.ts';
import { readRulesYaml } from '../services/ratelimit/storage/rules-yaml.ts';
import { makeAuthority, makeCertificate } from '../testing/certificates.ts';
import { documents, kustomize, type Manifest, only } from './testing-kustomize.ts';

type Env = Record<string, string>;

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const production = kustomize(path('./kubernetes/overlays/production'));
const overTls = kustomize(path('./kubernetes/overlays/tls'));
const example = documents(readFileSync(path('./kubernetes/secrets.example.yaml'), 'utf8'));
const NAMES = ['identity', 'ratelimit'] as const;
const SERVICES = {
  identity: { settings: identity, readConfig: readIdentity },
  ratelimit: { settings: ratelimit, readConfig: readRateLimit },
};

let directory: string;
/** As deploy/new-secrets.sh and deploy/kubernetes/secrets.sh make them. */
let secrets: Manifest[];
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'optix-kubernetes-'));
  const file = join(directory, 'secrets.env');
  spawnSync('/bin/sh', [path('./new-secrets.sh'), file]);
  secrets = documents(printSecrets(file, 'db.example.com:5432', 'redis.example.com:6379').stdout);
});
afterAll(() => rmSync(directory, { recursive: true }));

function printSecrets(...args: string[]) {
  return spawnSync('/bin/sh', [path('./kubernetes/secrets.sh'), ...args], { encoding: 'utf8' });
}

/** What the container of a workload gets for an environment. */
function environment(objects: readonly Manifest[], kind: string, name: string, of = secrets): Env {
  const [container] = only(objects, kind, name).spec.template.spec.containers;
  const sources = container.envFrom.map(
    (from: { configMapRef?: { name: string }; secretRef?: { name: string } }) =>
      from.configMapRef === undefined
        ? only(of, 'Secret', from.secretRef?.name ?? '').stringData
        : only(objects, 'ConfigMap', from.configMapRef.name).data,
  );
  return Object.assign({}, ...sources);
}

function problems(name: 'identity' | 'ratelimit', env: Env): readonly string[] {
  try {
    SERVICES[name].readConfig(env);
  } catch (error) {
    if (error instanceof InvalidSettings) return error.problems;
    throw error;
  }
  return [];
}

describe('the environment of the pods', () => {
  it.each(NAMES)('has settings of %s only', (name) => {
    const known = Object.values(SERVICES[name].settings).map(({ env }) => env);
    expect(
      Object.keys(environment(production, 'Deployment', name)).filter((env) => !known.includes(env)),
    ).toEqual([]);
    expect(
      Object.keys(environment(overTls, 'Deployment', name)).filter((env) => !known.includes(env)),
    ).toEqual([]);
  });

  it.each(NAMES)('is one that %s starts with in production', (name) => {
    const config = SERVICES[name].readConfig(environment(production, 'Deployment', name));
    expect(config).toMatchObject({ environment: 'production', bindAddress: '0.0.0.0' });
    expect(config.redisUrl).toMatch(/^rediss:.*@redis\.example\.com:6379\/0$/);
  });

  it('has no secret among the settings', () => {
    const secret = Object.values({ ...identity, ...ratelimit }).filter((setting) => setting.secret);
    // Of a file that is secret the settings have the path.
    const names = secret.map(({ env }) => env).filter((env) => !env.endsWith('_FILE'));
    const maps = [...production, ...overTls].filter(({ kind }) => kind === 'ConfigMap');
    expect(names.length).toBeGreaterThan(6);
    expect(maps.flatMap(({ data }) => Object.keys(data ?? {})).filter((env) => names.includes(env))).toEqual(
      [],
    );
  });

  it('lets identity call each pod of ratelimit', () => {
    const { rateLimitAddress, rateLimitApiKey } = readIdentity(
      environment(production, 'Deployment', 'identity'),
    );
    const { callerKeys } = readRateLimit(environment(production, 'Deployment', 'ratelimit'));
    const headless = only(production, 'Service', 'ratelimit-pods');
    expect(rateLimitAddress).toBe(`dns:///${headless.metadata.name}:${headless.spec.ports[0].port}`);
    expect(headless.spec.clusterIP).toBe('None');
    const digest = createHash('sha256').update(String(rateLimitApiKey)).digest('hex');
    expect(callerKeys?.entries).toContainEqual({ name: 'identity', digest, scopes: undefined });
  });

  it('names an issuer that is not the default, which is for development', () => {
    const { tokenIssuer } = readIdentity(environment(production, 'Deployment', 'identity'));
    expect(tokenIssuer).not.toBe(identity.tokenIssuer.fallback);
  });

  it('gives the migrations the role that owns the schema, and nothing else', () => {
    const env = environment(production, 'Job', 'migrate');
    expect(Object.keys(env)).toEqual(['DATABASE_URL']);
    expect(env['DATABASE_URL']).toMatch(
      /^postgresql:\/\/optix_owner:[0-9a-f]{64}@db\.example\.com:5432\/optix\?sslmode=verify-full$/,
    );
    const { databaseUrl } = readIdentity(environment(production, 'Deployment', 'identity'));
    expect(databaseUrl).toMatch(/^postgresql:\/\/optix_identity:/);
  });

  it.each(NAMES)('of the overlay with TLS is one that %s takes, with the Secret of cert-manager', (name) => {
    const { volumes, containers } = only(overTls, 'Deployment', name).spec.template.spec;
    const [{ name: volume, mountPath }] = containers[0].volumeMounts.slice(-1);
    expect(volumes).toContainEqual({
      name: volume,
      secret: { secretName: `${name}-tls`, defaultMode: 0o440 },
    });
    makeAuthority(directory, 'ca');
    makeCertificate(directory, 'tls', 'ca', { names: [`DNS:${name}-pods`] });
    const env = Object.entries(environment(overTls, 'Deployment', name));
    const here = env.map(([key, value]) => [key, value.replace(mountPath, directory)] as const);
    const config = SERVICES[name].readConfig(Object.fromEntries(here));
    expect(config.tls).toMatchObject({ certFile: join(directory, 'tls.crt') });
    if ('rateLimitTls' in config) expect(config.rateLimitTls).toBe('on');
  });
});

describe('the Secrets', () => {
  it('of the example have the form of those that secrets.sh prints', () => {
    const form = (objects: readonly Manifest[]) =>
      objects.map(({ stringData, ...rest }) => ({ ...rest, keys: Object.keys(stringData ?? {}) }));
    expect(form(example)).toEqual(form(secrets));
  });

  it.each([
    ['identity', 'DATABASE_URL'],
    ['identity', 'REDIS_URL'],
    ['identity', 'IDENTITY_ENCRYPTION_KEY'],
    ['identity', 'IDENTITY_CALLER_KEYS'],
    ['ratelimit', 'REDIS_URL'],
    ['ratelimit', 'RATELIMIT_CALLER_KEYS'],
  ] as const)('of the example are refused by %s: %s', (name, variable) => {
    const good = environment(production, 'Deployment', name);
    const placeholder = only(example, 'Secret', name).stringData?.[variable] ?? '';
    expect(problems(name, good)).toEqual([]);
    expect(problems(name, { ...good, [variable]: placeholder })).toEqual([expect.stringContaining(variable)]);
  });

  it('are printed without a store’s password or with a strange address for nobody', () => {
    const file = join(directory, 'incomplete.env');
    writeFileSync(file, 'POSTGRES_PASSWORD=a\n');
    expect(printSecrets(file, 'db:5432', 'redis:6379')).toMatchObject({
      status: 1,
      stdout: '',
      stderr: `secrets: POSTGRES_OWNER_PASSWORD is missing in ${file}\n`,
    });
    expect(printSecrets(file, 'db:5432/other', 'redis:6379')).toMatchObject({ status: 2, stdout: '' });
    expect(printSecrets(file)).toMatchObject({ status: 2, stdout: '' });
  });

  it('take values with quotes as they are', () => {
    const file = join(directory, 'quotes.env');
    const text = readFileSync(join(directory, 'secrets.env'), 'utf8');
    writeFileSync(file, `${text}\nMAIL_URL="smtp://user:it's@mail.example.com:587"\n`);
    const printed = documents(printSecrets(file, 'db:5432', 'redis:6379').stdout);
    expect(only(printed, 'Secret', 'identity').stringData?.['MAIL_URL']).toBe(
      "smtp://user:it's@mail.example.com:587",
    );
  });
});

describe('the files that ratelimit reads', () => {
  it('lie where its settings look for them', () => {
    const env = environment(production, 'Deployment', 'ratelimit');
    const { volumes, containers } = only(production, 'Deployment', 'ratelimit').spec.template.spec;
    const mountOf = (name: string) =>
      containers[0].volumeMounts.find((mount: { name: string }) => mount.name === name).mountPath;
    const mapOf = (name: string) =>
      volumes.find((volume: { name: string }) => volume.name === name).configMap.name as string;
    expect(env['RATELIMIT_RULES_FILE']).toBe(`${mountOf('rules')}/rules.yaml`);
    expect(only(production, 'ConfigMap', mapOf('rules')).data).toHaveProperty(['rules.yaml']);
    expect(env['RATELIMIT_ENVOY_CONFIG']).toBe(mountOf('envoy'));
    expect(only(production, 'ConfigMap', mapOf('envoy')).data).toHaveProperty(['edge.yaml']);
    expect(env['RATELIMIT_RULES_SNAPSHOT']).toMatch(new RegExp(`^${mountOf('snapshot')}/`));
  });

  it('hold the rules that hold without them', () => {
    const text = only(production, 'ConfigMap', 'ratelimit-rules').data?.['rules.yaml'] ?? '';
    const { definitions, problems } = readRulesYaml(text);
    expect(problems).toEqual([]);
    expect(definitions.map(defineRule)).toEqual(DEFAULT_RULES);
  });

  it('hold a configuration of Envoy’s that can be used', () => {
    const text = only(production, 'ConfigMap', 'ratelimit-envoy').data?.['edge.yaml'] ?? '';
    const { definitions, problems } = readEnvoyYaml([{ path: 'edge.yaml', text }], false);
    expect(problems).toEqual([]);
    expect(definitions).toMatchObject([{ domain: 'edge' }]);
  });
});
