import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAuthority, makeCertificate } from '../testing/certificates.ts';
import { redisSecretProblems, redisSettings, redisTarget } from './redis-settings.ts';
import { InvalidSettings, readSettings } from './settings.ts';

type Env = Readonly<Record<string, string>>;

function target(env: Env) {
  return redisTarget(readSettings(redisSettings(''), env));
}

function problems(env: Env): readonly string[] {
  try {
    target(env);
  } catch (error) {
    if (error instanceof InvalidSettings) return error.problems;
    throw error;
  }
  return [];
}

const SENTINELS = {
  REDIS_MODE: 'sentinel',
  REDIS_URL: 'redis://:pw@a:26379,redis://b:26380',
  REDIS_SENTINEL_MASTER: 'm',
};

describe('redisTarget', () => {
  it('is none without REDIS_URL', () => {
    expect(target({})).toBeUndefined();
    expect(problems({ REDIS_MODE: 'cluster' })).toEqual(['REDIS_URL must be set when REDIS_MODE=cluster']);
  });

  it('reads one server', () => {
    expect(target({ REDIS_URL: 'redis://user:pw@redis:7000/3' })).toEqual({
      mode: 'single',
      nodes: [{ host: 'redis', port: 7000 }],
      database: 3,
      username: 'user',
      password: 'pw',
      sentinel: undefined,
      tls: undefined,
    });
  });

  it('reads sentinels: user, password and number of the first URL are those of the master', () => {
    expect(target({ ...SENTINELS, REDIS_SENTINEL_PASSWORD: 'theirs' })).toMatchObject({
      mode: 'sentinel',
      nodes: [
        { host: 'a', port: 26_379 },
        { host: 'b', port: 26_380 },
      ],
      password: 'pw',
      sentinel: { master: 'm', password: 'theirs' },
    });
  });

  it('reads the nodes of a cluster, which may all have the same user and password', () => {
    const env = { REDIS_MODE: 'cluster', REDIS_URL: 'redis://u:pw@a, redis://u:pw@b ,redis://[::1]:7000' };
    expect(target(env)).toMatchObject({
      mode: 'cluster',
      nodes: [
        { host: 'a', port: 6379 },
        { host: 'b', port: 6379 },
        { host: '::1', port: 7000 },
      ],
      username: 'u',
      password: 'pw',
      sentinel: undefined,
    });
  });

  it.each([
    ['REDIS_URL must be one URL', { REDIS_URL: 'redis://a,redis://b' }],
    ['REDIS_URL must have redis:// in all', { ...SENTINELS, REDIS_URL: 'redis://a,rediss://b' }],
    ['REDIS_URL must have user, password', { ...SENTINELS, REDIS_URL: 'redis://:one@a,redis://:two@b' }],
    ['REDIS_URL must name no database but 0', { REDIS_MODE: 'cluster', REDIS_URL: 'redis://a/1' }],
    ['REDIS_URL must be a URL', { REDIS_MODE: 'cluster', REDIS_URL: 'redis://a,b:6379' }],
    ['REDIS_URL must be a URL', { REDIS_MODE: 'cluster', REDIS_URL: 'redis://a,' }],
    ['REDIS_URL must have nothing but db and password', { REDIS_URL: 'redis://a?family=6' }],
    ['REDIS_MODE must be one of single, sentinel, cluster', { REDIS_MODE: 'ring' }],
    ['REDIS_SENTINEL_MASTER must be set', { REDIS_MODE: 'sentinel', REDIS_URL: 'redis://a' }],
    [
      'REDIS_SENTINEL_MASTER is for REDIS_MODE=sentinel',
      { REDIS_URL: 'redis://a', REDIS_SENTINEL_MASTER: 'm' },
    ],
    [
      'REDIS_SENTINEL_PASSWORD is for REDIS_MODE=sentinel',
      { REDIS_URL: 'redis://a', REDIS_SENTINEL_PASSWORD: 's' },
    ],
  ])('says "%s"', (problem, env) => {
    const [found, ...others] = problems(env);
    expect(found).toMatch(new RegExp(`^${problem}`));
    expect(others).toEqual([]);
  });

  it('never repeats a URL or a password', () => {
    const env = {
      ...SENTINELS,
      REDIS_URL: 'redis://u:s3cret@a/1,rediss://v:s4cret@b',
      REDIS_MODE: 'cluster',
    };
    expect(problems(env).length).toBeGreaterThan(2);
    expect(problems(env).join()).not.toMatch(/s3cret|s4cret|@a/);
  });
});

describe('the TLS settings', () => {
  let directory: string;
  const file = (name: string) => join(directory, name);
  const tls = () => ({
    REDIS_URL: 'rediss://a',
    REDIS_TLS_CERT_FILE: file('one.crt'),
    REDIS_TLS_KEY_FILE: file('one.key'),
  });

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'optix-settings-'));
    makeAuthority(directory, 'authority');
    for (const name of ['one', 'two']) makeCertificate(directory, name, 'authority');
    writeFileSync(file('garbage'), 's3cret');
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it('are read at the start', () => {
    const found = target({ ...tls(), REDIS_TLS_CA_FILE: file('authority.crt') });
    const pem = expect.stringMatching(/^-----BEGIN /);
    expect(found?.tls).toEqual({ ca: pem, cert: pem, key: pem });
    expect(target({ REDIS_URL: 'rediss://a' })?.tls).toEqual({});
  });

  it.each([
    ['REDIS_TLS_CA_FILE must name a file that can be read (ENOENT)', { REDIS_TLS_CA_FILE: '/nowhere' }],
    ['REDIS_TLS_CA_FILE must name a file that can be read (EISDIR)', { REDIS_TLS_CA_FILE: '/' }],
    ['REDIS_TLS_CA_FILE must name a file that holds certificates in PEM', { REDIS_TLS_CA_FILE: 'garbage' }],
    [
      'REDIS_TLS_KEY_FILE must name a file that holds a private key in PEM',
      { REDIS_TLS_KEY_FILE: 'garbage' },
    ],
    ['REDIS_TLS_KEY_FILE must be set where REDIS_TLS_CERT_FILE is', { REDIS_TLS_KEY_FILE: '' }],
    ['REDIS_TLS_CERT_FILE must be set where REDIS_TLS_KEY_FILE is', { REDIS_TLS_CERT_FILE: '' }],
    [
      'REDIS_TLS_KEY_FILE must hold the private key of the certificate in REDIS_TLS_CERT_FILE',
      { REDIS_TLS_KEY_FILE: 'two.key' },
    ],
  ])('say "%s"', (problem, change: Env) => {
    const absolute = Object.entries(change).map(([name, path]) => [
      name,
      path === '' || path.startsWith('/') ? path : file(path),
    ]);
    expect(problems({ ...tls(), ...Object.fromEntries(absolute) })).toEqual([problem]);
  });

  it('are for rediss:// only', () => {
    expect(problems({ ...tls(), REDIS_URL: 'redis://a' })).toEqual([
      'REDIS_TLS_CERT_FILE is for rediss:// only',
      'REDIS_TLS_KEY_FILE is for rediss:// only',
    ]);
  });
});

describe('redisSecretProblems', () => {
  const found = (env: Env) => redisSecretProblems(readSettings(redisSettings(''), env));

  it('finds the passwords of examples in every URL and of the sentinels', () => {
    expect(found({ REDIS_URL: 'redis://a,redis://:Foobared@b' })).toEqual([
      'REDIS_URL has the password of an example, which everybody knows',
    ]);
    expect(found({ REDIS_URL: 'redis://a', REDIS_SENTINEL_PASSWORD: 'changeme' })).toEqual([
      'REDIS_SENTINEL_PASSWORD is the password of an example, which everybody knows',
    ]);
  });

  it('finds nothing wrong with others, or with none', () => {
    expect(found({})).toEqual([]);
    expect(
      found({ REDIS_URL: 'redis://:unguessable@a,redis://b', REDIS_SENTINEL_PASSWORD: 'unguessable' }),
    ).toEqual([]);
  });
});
